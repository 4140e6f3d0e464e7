import type { KeywordQuery, TermGroup } from "./keyword-query.ts";
import { PostingsReader, spreadOccurrences } from "./postings.ts";
import type { Segment } from "./segment.ts";

/** A segment, and what of it is not deleted. */
export interface SearchedSegment {
  readonly segment: Segment;
  /** Deleted documents. */
  readonly deleted: ReadonlySet<number>;
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

/**
 * Scores all passages, term by term. The statistics are those of the live passages, so a score does not depend on how documents are
 * spread over segments.
 */
export function scoreKeywords({ groups }: KeywordQuery, segments: readonly SearchedSegment[], totals: FieldTotals): KeywordScores[] {
  const results = segments.map(({ segment }) => ({
    scores: new Float64Array(segment.passages),
    matched: new Uint32Array(segment.passages),
  }));
  const counters = segments.map((searched) => new OccurrenceCounter(searched));
  const average = {
    title: Math.max(1, totals.title / totals.passages),
    headings: Math.max(1, totals.headings / totals.passages),
    text: Math.max(1, totals.text / totals.passages),
  };
  for (const group of groups) {
    let containing = 0;
    for (const [i, counter] of counters.entries()) containing += counter.count(group.words[i] ?? []);
    const rarity = Math.log(1 + (totals.passages - containing + 0.5) / (containing + 0.5));
    for (const [i, counter] of counters.entries()) {
      const result = results[i];
      if (result) addScores(counter, group, rarity, average, result);
    }
  }
  return results;
}

/** Counts the occurrences of a group's words in the live passages of a segment. */
class OccurrenceCounter {
  readonly segment: Segment;
  readonly #live: Uint8Array | null;
  readonly #reader = new PostingsReader();
  /** Occurrences per passage, with a byte per field: text, headings, title. */
  readonly sums: Uint32Array;
  /** The passages with occurrences: the first {@link found} ones. */
  readonly passages: Uint32Array;
  found = 0;

  constructor({ segment, live }: SearchedSegment) {
    this.segment = segment;
    this.#live = live;
    this.sums = new Uint32Array(segment.passages);
    this.passages = new Uint32Array(segment.passages);
  }

  /** Counts these words instead of the previous ones. Returns the number of passages that contain any of them. */
  count(words: readonly number[]): number {
    const { sums, passages } = this;
    for (let i = 0; i < this.found; i++) sums[passages[i] ?? 0] = 0;
    let found = 0;
    for (const word of words) {
      const count = decodeWord(this.segment, word, this.#reader);
      const { passages: decoded, occurrences } = this.#reader;
      for (let i = 0; i < count; i++) {
        const passage = decoded[i] ?? 0;
        if (this.#live !== null && this.#live[passage] === 0) continue;
        const before = sums[passage] ?? 0;
        if (before === 0) passages[found++] = passage;
        sums[passage] = before + (spreadOccurrences[occurrences[i] ?? 0] ?? 0);
      }
    }
    this.found = found;
    return found;
  }
}

function addScores(
  { segment: { arrays }, passages, sums, found }: OccurrenceCounter,
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
  for (let i = 0; i < found; i++) {
    const passage = passages[i] ?? 0;
    const count = sums[passage] ?? 0;
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

/** Decodes the postings of a word into the reader. Returns their number. */
export function decodeWord({ arrays: { wordCounts, postings, postingOffsets } }: Segment, word: number, reader: PostingsReader): number {
  const count = wordCounts[word] ?? 0;
  reader.decode(postings, postingOffsets[word] ?? 0, count);
  return count;
}
