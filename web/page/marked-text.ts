import type { Place } from "../../shared/index/spans.ts";
import { make } from "./elements.ts";

/**
 * A stretch of a text, with words marked and the sentence closest in meaning. Headings look like headings and paragraphs
 * like paragraphs; line breaks that some editors put where a line was full are left out. All characters stay.
 * @param offset where it begins in the text that the places count from
 * @param words in order; what of them lies elsewhere is left out
 */
export function markedText(text: string, offset: number, words: readonly Place[], closest: Place | null): (Node | string)[] {
  const end = offset + text.length;
  const start = Math.max(closest?.start ?? end, offset);
  const stop = Math.min(closest?.end ?? end, end);
  const slice = (from: number, to: number) => withForm(text.slice(from - offset, to - offset), from, words);
  if (!closest || start >= stop) return slice(offset, end);
  return [...slice(offset, start), make("span", "closest", ...slice(start, stop)), ...slice(stop, end)];
}

/** The sign of a heading and the heading itself, or a gap between paragraphs. */
const forms = /^(?<sign>#{1,6}[ \t]+)(?<heading>[^\n]+)|(?<gap>\n\s*\n)/gmu;

function withForm(text: string, offset: number, words: readonly Place[]): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let done = 0;
  const plain = (end: number) => nodes.push(...withWords(text.slice(done, end), offset + done, words));
  for (const { index, 0: all, groups: { sign, heading = "", gap } = {} } of text.matchAll(forms)) {
    plain(index);
    if (gap !== undefined) nodes.push(make("span", "gap", gap));
    else
      nodes.push(
        make("span", "sign", sign ?? ""),
        make("span", "heading", ...withWords(heading, offset + index + (sign?.length ?? 0), words)),
      );
    done = index + all.length;
  }
  plain(text.length);
  return nodes;
}

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

/** A space for each line break after a full line and before a word: those of poems, lists and tables stay. */
const flowing = (text: string): string => text.replace(/(?<=[^\n]{60})\n(?=[\p{L}\p{N}("'`[*_])(?![*_\d]+[.)\s])/gu, " ");
