import type { Place } from "../../shared/search/answer.ts";
import { make } from "./elements.ts";

/**
 * A stretch of a text, with words marked and the sentence closest in meaning.
 * @param offset where it begins in the text that the places count from
 * @param words in order; what of them lies elsewhere is left out
 */
export function markedText(text: string, offset: number, words: readonly Place[], closest: Place | null): (Node | string)[] {
  const end = offset + text.length;
  const start = Math.max(closest?.start ?? end, offset);
  const stop = Math.min(closest?.end ?? end, end);
  const slice = (from: number, to: number) => withWords(text.slice(from - offset, to - offset), from, words);
  if (!closest || start >= stop) return slice(offset, end);
  return [...slice(offset, start), make("span", "closest", ...slice(start, stop)), ...slice(stop, end)];
}

/**
 * A text without the line breaks that some editors put where the line was full: they are no part of what it says. Those
 * of poems, lists and tables stay. Nothing changes its place.
 */
const flowing = (text: string): string => text.replace(/(?<=[^\n]{60})\n(?=[\p{L}\p{N}("'`[*_])(?![*_\d]+[.)\s])/gu, " ");

function withWords(broken: string, offset: number, words: readonly Place[]): (Node | string)[] {
  const text = flowing(broken);
  const nodes: (Node | string)[] = [];
  let done = 0;
  for (const word of words) {
    const start = Math.max(word.start - offset, done);
    const end = Math.min(word.end - offset, text.length);
    if (start >= end) continue;
    if (start > done) nodes.push(text.slice(done, start));
    nodes.push(make("mark", "", text.slice(start, end)));
    done = end;
  }
  if (done < text.length) nodes.push(text.slice(done));
  return nodes;
}
