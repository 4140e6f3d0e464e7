import { nextTurn } from "../../shared/async.ts";
import type { Place } from "../../shared/index/spans.ts";
import type { PassageRelevance } from "../../shared/search/answer.ts";
import { make } from "./elements.ts";
import { markedText } from "./marked-text.ts";
import { percent } from "./wording.ts";

/** A stretch of a text that belongs to one passage, or to none. */
interface Stretch extends Place {
  readonly passage: number | null;
}

/** UTF-16 code units of text that are laid out together: what is out of sight is not. */
const sliceLength = 6_000;

/** How long the page may be busy with it before it lets the browser paint and answer, in ms. */
const busy = 8;

export interface DocumentText {
  readonly text: string;
  /** In order; where they overlap, a stretch belongs to the later one. */
  readonly passages: readonly PassageRelevance[];
  /** Passages that are steps: they tell their relevance. */
  readonly steps: ReadonlySet<number>;
  /** Words of the query, in order. */
  readonly words: readonly Place[];
}

/**
 * Writes a document's text into the page, its passages tinted by their relevance, a part at a time: long texts come in
 * while they can be read already. Ends early when `isWanted` no longer holds.
 * @param onPassage told of each passage as it comes to stand in the page
 */
export async function writeDocument(
  container: HTMLElement,
  { text, passages, steps, words }: DocumentText,
  onPassage: (passage: number, element: HTMLElement) => void,
  isWanted: () => boolean,
): Promise<void> {
  container.replaceChildren();
  let since = performance.now();
  let nextWord = 0;
  for (const slice of slicesOf(text, passages)) {
    const element = make("div", "slice");
    for (const { start, end, passage } of slice) {
      while ((words[nextWord]?.end ?? Number.POSITIVE_INFINITY) <= start) nextWord += 1;
      const within: Place[] = [];
      for (let i = nextWord; (words[i]?.start ?? end) < end; i++) within.push(words[i] as Place); // below `end`: there is one
      const nodes = markedText(text.slice(start, end), start, within, null);
      if (passage === null) {
        element.append(...nodes);
        continue;
      }
      const relevance = passages[passage]?.relevance ?? null;
      const span = make("span", "stretch", ...nodes);
      if (relevance !== null) span.dataset.heat = heatOf(relevance);
      if (steps.has(passage)) {
        span.tabIndex = -1;
        span.role = "group";
        span.ariaLabel = passageLabel(passage, passages.length, relevance);
        span.prepend(make("span", "percent", relevance === null ? "found" : percent(relevance)));
      }
      onPassage(passage, span);
      element.append(span);
    }
    const characters = (slice.at(-1)?.end ?? 0) - (slice[0]?.start ?? 0);
    element.style.setProperty("--lines", String(Math.ceil(characters / 70)));
    container.append(element);
    if (performance.now() - since < busy) continue;
    await nextTurn();
    if (!isWanted()) return;
    since = performance.now();
  }
}

/** 0 to 5: a shade that the eye can tell from the next one. */
export const heatOf = (relevance: number): string => String(Math.min(5, Math.floor(6 * relevance)));

/** "Passage 3 of 12, 84 %" */
export function passageLabel(passage: number, passages: number, relevance: number | null): string {
  return `Passage ${passage + 1} of ${passages}${relevance === null ? "" : `, ${percent(relevance)}`}`;
}

/** The text in slices that end with a line, as far as there are lines. */
function* slicesOf(text: string, passages: readonly Place[]): Generator<Stretch[]> {
  let slice: Stretch[] = [];
  let length = 0;
  for (const stretch of stretchesOf(text, passages)) {
    for (const piece of piecesOf(text, stretch)) {
      slice.push(piece);
      length += piece.end - piece.start;
      const endsLine = text[piece.end - 1] === "\n";
      if (length < sliceLength || !(endsLine || length > 3 * sliceLength)) continue;
      yield slice;
      slice = [];
      length = 0;
    }
  }
  if (slice.length > 0) yield slice;
}

function* stretchesOf(text: string, passages: readonly Place[]): Generator<Stretch> {
  let done = 0;
  for (const [passage, { start, end }] of passages.entries()) {
    if (start > done) yield { start: done, end: start, passage: null };
    const next = passages[passage + 1]?.start ?? end;
    const stop = Math.min(end, Math.max(next, start));
    if (stop > start) yield { start, end: stop, passage };
    done = Math.max(done, stop);
  }
  if (done < text.length) yield { start: done, end: text.length, passage: null };
}

/** What belongs to no passage may be all of a long text: it is cut at its lines, or where there are none, at a space. */
function* piecesOf(text: string, stretch: Stretch): Generator<Stretch> {
  let { start } = stretch;
  while (stretch.passage === null && stretch.end - start > 2 * sliceLength) {
    const line = text.lastIndexOf("\n", start + sliceLength);
    const space = text.lastIndexOf(" ", start + 2 * sliceLength);
    const end = line >= start ? line + 1 : space > start ? space + 1 : start + sliceLength;
    yield { start, end, passage: null };
    start = end;
  }
  yield { start, end: stretch.end, passage: stretch.passage };
}
