import type { KeywordQuery, TermGroup } from "./keyword-query.ts";
import { headingOccurrences, PostingsReader, textOccurrences, titleOccurrences } from "./postings.ts";
import type { Segment } from "./segment.ts";

/** A segment, and what of it is not deleted. */
export interface SearchedSegment {
  readonly segment: Segment;
  /** Deleted documents; null if there are none. */
  readonly deleted: ReadonlySet<number> | null;
  /** 1 for each live passage; null if all are. */
  readonly live: Uint8Array | null;
}

/** The number of live passages and of the words in their fields, over all segments. */
export interface FieldTotals {
  readonly passages: number;
  readonly title: number;
  readonly headings: number;
  readonly text: number;
}

/** Scores of a segment's passages. */
export interface KeywordScores {
  /** BM25F; 0 for a passage without any term of the query, and for a deleted one. */
  readonly scores: Float64Array;
  /** A bit for each of the query's terms that a passage has. */
  readonly matched: Uint32Array;
}

/**
 * Parameters of BM25F (Robertson, Zaragoza and Taylor, 2004, "Simple BM25 extension to multiple weighted fields"), chosen on the odd
 * queries of Cranfield and the open everyday queries.
 */
const saturation = 1.2;
const fieldParameters = {
  title: { weight: 1.5, normalization: 0.5 },
  headings: { weight: 1, normalization: 0.5 },
  text: { weight: 1, normalization: 0.75 },
};

/** Occurrences of a group in the passages of a segment. The counts have a byte per field: text, headings, title. */
interface GroupPostings {
  readonly passages: Uint32Array;
  readonly counts: Uint32Array;
}

/**
 * Scores all passages, term by term. The statistics are those of the live passages, so a score does not depend on how documents are
 * spread over segments.
 */
export function scoreKeywords({ groups }: KeywordQuery, segments: readonly SearchedSegment[], totals: FieldTotals): KeywordScores[] {
  const results = segments.map(({ segment }) => ({
    scores: new Float64Array(segment.passages),
    matched: new Uint32Array(segment.passages),
  }));
  const reader = new PostingsReader();
  const average = {
    title: Math.max(1, totals.title / totals.passages),
    headings: Math.max(1, totals.headings / totals.passages),
    text: Math.max(1, totals.text / totals.passages),
  };
  for (const group of groups) {
    const postings = segments.map((searched, i) => postingsOf(searched, group.words[i] ?? [], reader));
    const containing = postings.reduce((sum, { passages }) => sum + passages.length, 0);
    const rarity = Math.log(1 + (totals.passages - containing + 0.5) / (containing + 0.5));
    for (const [i, result] of results.entries()) {
      const segment = segments[i]?.segment;
      const found = postings[i];
      if (segment && found) addScores(segment, found, group, rarity, average, result);
    }
  }
  return results;
}

function addScores(
  { arrays }: Segment,
  { passages, counts }: GroupPostings,
  { bit, weight }: TermGroup,
  rarity: number,
  average: Omit<FieldTotals, "passages">,
  { scores, matched }: KeywordScores,
): void {
  const { title, headings, text } = fieldParameters;
  const { titleLengths, headingLengths, textLengths } = arrays;
  const factor = weight * rarity * (saturation + 1);
  const textBase = 1 - text.normalization;
  const textSlope = text.normalization / average.text;
  for (let i = 0; i < passages.length; i++) {
    const passage = passages[i] ?? 0;
    const count = counts[i] ?? 0;
    let frequency = (text.weight * (count & 255)) / (textBase + textSlope * (textLengths[passage] ?? 0));
    if (count > 255) {
      const inHeadings = (count >>> 8) & 255;
      const inTitle = count >>> 16;
      frequency += (headings.weight * inHeadings) / lengthNormalization(headings, headingLengths[passage] ?? 0, average.headings);
      frequency += (title.weight * inTitle) / lengthNormalization(title, titleLengths[passage] ?? 0, average.title);
    }
    scores[passage] = (scores[passage] ?? 0) + (factor * frequency) / (saturation + frequency);
    matched[passage] = (matched[passage] ?? 0) | (1 << bit);
  }
}

const lengthNormalization = ({ normalization }: { readonly normalization: number }, length: number, average: number) =>
  1 - normalization + (normalization * length) / average;

/** The live passages that contain any of the words, ascending, with the sums of occurrences. */
function postingsOf({ segment, live }: SearchedSegment, words: readonly number[], reader: PostingsReader): GroupPostings {
  const { arrays } = segment;
  const [first = 0] = words;
  if (words.length === 1) {
    const count = decodeWord(segment, first, reader);
    const passages = new Uint32Array(count);
    const counts = new Uint32Array(count);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const passage = reader.passages[i] ?? 0;
      if (live && live[passage] === 0) continue;
      passages[kept] = passage;
      counts[kept++] = spread(reader.occurrences[i] ?? 0);
    }
    return { passages: passages.subarray(0, kept), counts: counts.subarray(0, kept) };
  }
  const total = words.reduce((sum, word) => sum + (arrays.wordCounts[word] ?? 0), 0);
  if (total === 0) return { passages: new Uint32Array(), counts: new Uint32Array() };
  const sums = new Uint32Array(segment.passages);
  const touched = new Uint32Array(Math.min(total, segment.passages));
  let count = 0;
  for (const word of words) {
    const found = decodeWord(segment, word, reader);
    for (let i = 0; i < found; i++) {
      const passage = reader.passages[i] ?? 0;
      if (live && live[passage] === 0) continue;
      if (sums[passage] === 0) touched[count++] = passage;
      sums[passage] = (sums[passage] ?? 0) + spread(reader.occurrences[i] ?? 0);
    }
  }
  const passages = touched.subarray(0, count);
  return { passages, counts: passages.map((passage) => sums[passage] ?? 0) };
}

/** Decodes the postings of a word into the reader. Returns their number. */
export function decodeWord({ arrays: { wordCounts, postings, postingOffsets } }: Segment, word: number, reader: PostingsReader): number {
  const count = wordCounts[word] ?? 0;
  reader.decode(postings, postingOffsets[word] ?? 0, count);
  return count;
}

/** Packed occurrences with a byte per field, so that they can be added. */
const spread = (packed: number): number => textOccurrences(packed) | (headingOccurrences(packed) << 8) | (titleOccurrences(packed) << 16);
