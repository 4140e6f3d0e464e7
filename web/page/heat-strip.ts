import { nextTurn } from "../../shared/async.ts";
import type { PassageRelevance } from "../../shared/search/answer.ts";
import { heatOf, passageLabel } from "./document-slices.ts";
import { find, makeButton } from "./elements.ts";

/** How many segments are made before the browser may paint and answer. */
const segmentsAtOnce = 60;

/**
 * The strip beside a document: a segment for each passage, as long as the passage is, in the shade of its relevance. It
 * is one stop of the Tab key; arrow keys lead through it.
 */
export class HeatStrip {
  readonly #element = find("#document-view .strip", HTMLElement);
  readonly #onChoose: (passage: number) => void;
  #segments: HTMLButtonElement[] = [];
  #current = 0;

  constructor(onChoose: (passage: number) => void) {
    this.#onChoose = onChoose;
    this.#element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, Home: -this.#current, End: this.#segments.length - 1 - this.#current }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.#stop(Math.min(this.#segments.length - 1, Math.max(0, this.#current + step)));
      this.#segments[this.#current]?.focus();
    });
  }

  /** @param length of the text, in UTF-16 code units */
  async show(passages: readonly PassageRelevance[], length: number, isWanted: () => boolean): Promise<void> {
    this.clear();
    this.#element.hidden = passages.length === 0;
    for (const [i, { start, end, relevance }] of passages.entries()) {
      const segment = makeButton("segment", "", () => this.#onChoose(i));
      segment.tabIndex = -1;
      segment.ariaLabel = passageLabel(i, passages.length, relevance);
      segment.title = segment.ariaLabel;
      segment.dataset.heat = heatOf(relevance ?? 0);
      segment.style.setProperty("--start", `${(100 * start) / length}%`);
      segment.style.setProperty("--length", `${(100 * (end - start)) / length}%`);
      this.#segments.push(segment);
      this.#element.append(segment);
      if (i % segmentsAtOnce !== segmentsAtOnce - 1) continue;
      await nextTurn();
      if (!isWanted()) return;
    }
  }

  clear(): void {
    this.#element.replaceChildren();
    this.#element.hidden = true;
    this.#segments = [];
    this.#current = 0;
  }

  /** Marks where the reader is; null for nowhere in particular. */
  mark(passage: number | null): void {
    this.#element.querySelector("[aria-current]")?.removeAttribute("aria-current");
    if (passage !== null) this.#segments[passage]?.setAttribute("aria-current", "true");
    this.#stop(passage ?? 0);
  }

  #stop(passage: number): void {
    const [before, now] = [this.#segments[this.#current], this.#segments[passage]];
    if (before) before.tabIndex = -1;
    if (now) now.tabIndex = 0;
    this.#current = passage;
  }
}
