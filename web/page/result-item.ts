import type { SearchMode } from "../../shared/index/fusion.ts";
import type { Hit } from "../../shared/index/hit.ts";
import type { Place } from "../../shared/index/spans.ts";
import type { Document } from "../../shared/search/library.ts";
import { make, makeButton, write } from "./elements.ts";
import { markedText } from "./marked-text.ts";
import { percent } from "./wording.ts";

/** A hit, and what there is to say of it by now. */
interface ShownHit {
  readonly hit: Hit;
  readonly mode: SearchMode;
  readonly closest: Place | null;
}

export interface ResultItem {
  readonly element: HTMLLIElement;
  /** What opens its document. */
  readonly button: HTMLButtonElement;
  /** Shows a hit in the place of the one before: the button stays, and with it the focus. */
  show(shown: ShownHit): void;
}

/** @param open opens the document of the hit that is shown, at its passage */
export function makeResultItem(open: (hit: Hit) => void): ResultItem {
  let shown: ShownHit | null = null;
  let painted = "";
  const openIt = () => {
    if (shown) open(shown.hit);
  };
  const button = makeButton("open", "", openIt);
  const kind = make("span", "kind");
  const score = make("span", "score");
  const path = make("span", "path");
  const place = make("span", "place");
  place.role = "img";
  const passage = make("p", "passage");
  const element = make("li", "", make("div", "head", make("h3", "", button), kind, score), make("div", "where", path, place), passage);
  // A click opens the document, unless it ends a text selection.
  passage.addEventListener("click", () => {
    if (getSelection()?.isCollapsed !== false) openIt();
  });

  return {
    element,
    button,
    show(next) {
      shown = next;
      const wanted = JSON.stringify(next);
      if (wanted === painted) return;
      painted = wanted;
      const { hit, mode, closest } = next;
      element.classList.toggle("weak", hit.strength === "weak");
      write(button, hit.title);
      write(kind, kindOf(hit));
      write(score, scoreText(hit, mode));
      score.title = scoreTitle(hit);
      write(path, breadcrumb(hit).join(" › "));
      paintPlace(place, hit);
      const repeated = repeatedTitle(hit);
      const { text, start, marks } = hit.passage;
      passage.replaceChildren(...markedText(text.slice(repeated), start + repeated, marks, closest));
    },
  };
}

function scoreText({ relevance, cosine, strength }: Hit, mode: SearchMode): string {
  // In keyword mode the status line says it once.
  const found = mode === "keyword" ? "" : cosine === null ? "found by keyword" : `cosine ${cosine.toFixed(2)}`;
  const score = relevance === null ? found : percent(relevance);
  return [score, strength === "weak" ? "weak" : ""].filter(Boolean).join(", ");
}

function scoreTitle({ cosine }: Hit): string {
  return cosine === null ? "No vector yet" : `Relevance, from a cosine of ${cosine.toFixed(3)}`;
}

/** Characters at the start of the passage that repeat the title as a heading. */
function repeatedTitle({ title, passage }: Hit): number {
  const [beginning = "", heading] = /^#{1,6}[ \t]+([^\n]*)\n\s*/.exec(passage.text) ?? [];
  return heading?.trim() === title ? beginning.length : 0;
}

/** The file's path and the headings above the passage, outermost first. */
function breadcrumb(hit: Hit): string[] {
  return [...pathOf({ id: hit.id, kind: kindOf(hit) }), ...hit.passage.headings].filter((part) => part !== hit.title);
}

/** The kind of a hit's document. */
export const kindOf = ({ fields }: Pick<Hit, "fields">): string => String(fields.kind ?? "");

/** The parts of a file's path; none for built-in and pasted documents. Ids of built-in documents contain no dot. */
export function pathOf({ id, kind }: Pick<Document, "id" | "kind">): string[] {
  return /[./]/.test(id) && kind !== "pasted" ? id.split("/") : [];
}

/** The position of the passage in its document, as a bar. Hidden for a passage that is the whole document. */
function paintPlace(place: HTMLElement, { length, passage }: Hit): void {
  const isPart = passage.end - passage.start < 0.95 * length;
  place.hidden = !isPart;
  if (!isPart) return;
  place.style.setProperty("--start", `${(100 * passage.start) / length}%`);
  place.style.setProperty("--length", `${(100 * (passage.end - passage.start)) / length}%`);
  place.ariaLabel = `${percent(passage.start / length)} into the text`;
  place.title = place.ariaLabel;
}
