import type { SearchMode } from "../../shared/index/fusion.ts";
import type { Place } from "../../shared/index/spans.ts";
import type { SearchResult } from "../../shared/search/answer.ts";
import type { Document } from "../../shared/search/library.ts";
import { make, makeButton, write } from "./elements.ts";
import { markedText } from "./marked-text.ts";
import { percent } from "./wording.ts";

/** A result, and what there is to say of it by now. */
interface ShownResult {
  readonly result: SearchResult;
  readonly mode: SearchMode;
  readonly closest: Place | null;
}

export interface ResultItem {
  readonly element: HTMLLIElement;
  /** What opens its document. */
  readonly button: HTMLButtonElement;
  /** Shows a result in the place of the one before: the button stays, and with it the focus. */
  show(shown: ShownResult): void;
}

/** @param open opens the result that is shown, at its passage */
export function makeResultItem(open: (result: SearchResult) => void): ResultItem {
  let shown: ShownResult | null = null;
  let painted = "";
  const openIt = () => {
    if (shown) open(shown.result);
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
      const { result, mode, closest } = next;
      element.classList.toggle("weak", result.weak);
      write(button, result.document.title);
      write(kind, result.document.kind);
      write(score, scoreText(result, mode));
      score.title = scoreTitle(result);
      write(path, breadcrumb(result).join(" › "));
      paintPlace(place, result);
      const repeated = repeatedTitle(result);
      const { text: said, start } = result.passage;
      passage.replaceChildren(...markedText(said.slice(repeated), start + repeated, result.words, closest));
    },
  };
}

function scoreText({ relevance, weak }: SearchResult, mode: SearchMode): string {
  // In keyword mode the status line says it once.
  const score = relevance !== null ? percent(relevance) : mode === "keyword" ? "" : "found by keyword";
  return [score, weak ? "weak" : ""].filter(Boolean).join(", ");
}

function scoreTitle({ cosine }: SearchResult): string {
  return cosine === null ? "No vector yet" : `Relevance, from a cosine of ${cosine.toFixed(3)}`;
}

/** Characters at the start of the passage that repeat the title as a heading. */
function repeatedTitle({ document, passage }: SearchResult): number {
  const [beginning = "", heading] = /^#{1,6}[ \t]+([^\n]*)\n\s*/.exec(passage.text) ?? [];
  return heading?.trim() === document.title ? beginning.length : 0;
}

/** The file's path and the headings above the passage, outermost first. */
function breadcrumb({ document, passage }: SearchResult): string[] {
  return [...pathOf(document), ...passage.headings].filter((part) => part !== document.title);
}

/** The parts of a file's path; none for built-in and pasted documents. Ids of built-in documents contain no dot. */
export function pathOf({ id, kind }: Pick<Document, "id" | "kind">): string[] {
  return /[./]/.test(id) && kind !== "pasted" ? id.split("/") : [];
}

/** The position of the passage in its document, as a bar. Hidden for a passage that is the whole document. */
function paintPlace(place: HTMLElement, { document, passage }: SearchResult): void {
  const isPart = passage.end - passage.start < 0.95 * document.length;
  place.hidden = !isPart;
  if (!isPart) return;
  place.style.setProperty("--start", `${(100 * passage.start) / document.length}%`);
  place.style.setProperty("--length", `${(100 * (passage.end - passage.start)) / document.length}%`);
  place.ariaLabel = `${percent(passage.start / document.length)} into the text`;
  place.title = place.ariaLabel;
}
