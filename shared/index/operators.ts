import { decodeWord, type SearchedSegment } from "./keyword-search.ts";
import { PostingsReader } from "./postings.ts";
import type { Query } from "./query.ts";
import type { Segment } from "./segment.ts";
import { foldText, phraseTest, termsOf } from "./terms.ts";

/** Which passages the quotation marks and minus signs of a query allow. */
export interface PassageTest {
  /** 1 for each passage that may be allowed; null if all may. */
  readonly masks: readonly (Uint8Array | null)[];
  /** Whether {@link accepts} must be asked, which reads the text of a passage. */
  readonly mustRead: boolean;
  accepts(segment: Segment, passage: number): boolean;
}

/**
 * A passage must contain all phrases of a query and none of its exclusions, in its title, headings or text. The passages that have the
 * words of a phrase are known from the postings; only for phrases of several words are texts compared.
 */
export function passageTest({ phrases, excluded }: Query, segments: readonly SearchedSegment[]): PassageTest {
  if (phrases.length === 0 && excluded.length === 0) return { masks: segments.map(() => null), mustRead: false, accepts: () => true };
  const required = [...new Set(phrases)].map(phraseOf);
  const banned = [...new Set(excluded)].map(phraseOf);
  const reader = new PostingsReader();
  const masks = segments.map(({ segment }) => {
    const mask = new Uint8Array(segment.passages).fill(1);
    for (const { words } of required) {
      const has = passagesWithAll(segment, words, reader);
      for (let i = 0; i < mask.length; i++) mask[i] = (mask[i] ?? 0) & (has[i] ?? 0);
    }
    for (const { words, isSingle } of banned) {
      if (!isSingle) continue;
      const has = passagesWithAll(segment, words, reader);
      for (let i = 0; i < mask.length; i++) mask[i] = (mask[i] ?? 0) & ~(has[i] ?? 0);
    }
    return mask;
  });
  const read = { required: required.filter(({ isSingle }) => !isSingle), banned: banned.filter(({ isSingle }) => !isSingle) };
  return {
    masks,
    mustRead: read.required.length + read.banned.length > 0,
    accepts(segment, passage) {
      const text = foldText(fullTextOf(segment, passage));
      return read.required.every(({ isIn }) => isIn(text)) && !read.banned.some(({ isIn }) => isIn(text));
    },
  };
}

function phraseOf(phrase: string) {
  const words = [...new Set(termsOf(phrase).map(({ word }) => word))];
  // The word of a text that has no spaces depends on its neighbours.
  return { words, isSingle: words.length === 1 && /^[\p{Script=Latin}\p{N}]+$/u.test(phrase.trim()), isIn: phraseTest(phrase) };
}

/** 1 for each passage that contains all words; for no words, none does. */
function passagesWithAll(segment: Segment, words: readonly string[], reader: PostingsReader): Uint8Array {
  const counts = new Uint8Array(segment.passages);
  const searched = words.slice(0, 255);
  for (const text of searched) {
    const word = segment.words.find(text);
    const found = word === -1 ? 0 : decodeWord(segment, word, reader);
    for (let i = 0; i < found; i++) {
      const passage = reader.passages[i] ?? 0;
      counts[passage] = (counts[passage] ?? 0) + 1;
    }
  }
  for (let i = 0; i < counts.length; i++) counts[i] = searched.length > 0 && counts[i] === searched.length ? 1 : 0;
  return counts;
}

function fullTextOf(segment: Segment, passage: number): string {
  const title = segment.titles.get(segment.passageDocuments[passage] ?? 0);
  return [title, ...segment.passage(passage).headings, segment.passageText(passage)].join("\n");
}
