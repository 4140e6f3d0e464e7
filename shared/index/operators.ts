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
  const conditions = [
    ...[...new Set(phrases)].map((phrase) => ({ ...phraseOf(phrase), wanted: true })),
    ...[...new Set(excluded)].map((phrase) => ({ ...phraseOf(phrase), wanted: false })),
  ];
  const reader = new PostingsReader();
  const masks = segments.map(({ segment }) => {
    const mask = new Uint8Array(segment.passages).fill(1);
    for (const { words, isSingle, wanted } of conditions) {
      // A passage may have the words of an excluded phrase, if not in a row.
      if (!wanted && !isSingle) continue;
      const has = passagesWithAll(segment, words, reader);
      for (let i = 0; i < mask.length; i++) if (has[i] !== Number(wanted)) mask[i] = 0;
    }
    return mask;
  });
  const compared = conditions.filter(({ isSingle }) => !isSingle);
  return {
    masks,
    mustRead: compared.length > 0,
    accepts(segment, passage) {
      const text = foldText(fullTextOf(segment, passage));
      return compared.every(({ isIn, wanted }) => isIn(text) === wanted);
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
