import type { Place, SearchResult } from "../../shared/search/answer.ts";
import type { SearchMode } from "../../shared/search/fusion.ts";
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
  // All of it opens the document, but who selects some text of it wants just that.
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
  // Where everything is found by words, the status line says so.
  const score = relevance !== null ? percent(relevance) : mode === "keyword" ? "" : "found by words";
  return [score, weak ? "weak" : ""].filter(Boolean).join(", ");
}

function scoreTitle({ cosine }: SearchResult): string {
  return cosine === null ? "It has no vector, or none yet" : `Relevance, from a cosine of ${cosine.toFixed(3)}`;
}

/** How many characters at the passage's beginning are a heading that says what stands above it: the title. */
function repeatedTitle({ document, passage }: SearchResult): number {
  const [beginning = "", heading] = /^#{1,6}[ \t]+([^\n]*)\n\s*/.exec(passage.text) ?? [];
  return heading?.trim() === document.title ? beginning.length : 0;
}

/** The path of its file and the headings it stands under, outermost first. */
function breadcrumb({ document, passage }: SearchResult): string[] {
  return [...pathOf(document), ...passage.headings].filter((part) => part !== document.title);
}

/** The parts of a file's path; none for what is no file: built-in documents have names without a dot, and what was pasted says so. */
export function pathOf({ id, kind }: Pick<Document, "id" | "kind">): string[] {
  return /[./]/.test(id) && kind !== "pasted" ? id.split("/") : [];
}

/** Where in its document the passage stands, as a bar; nothing where it is all of it. */
function paintPlace(place: HTMLElement, { document, passage }: SearchResult): void {
  const isPart = passage.end - passage.start < 0.95 * document.length;
  place.hidden = !isPart;
  if (!isPart) return;
  place.style.setProperty("--start", `${(100 * passage.start) / document.length}%`);
  place.style.setProperty("--length", `${(100 * (passage.end - passage.start)) / document.length}%`);
  place.ariaLabel = `${percent(passage.start / document.length)} into the text`;
  place.title = place.ariaLabel;
}
