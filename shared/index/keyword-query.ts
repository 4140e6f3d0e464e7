import type { Query } from "./query.ts";
import type { Segment } from "./segment.ts";
import { type Term, termsOf } from "./terms.ts";

/** Words that count as one in a score: their occurrences are added. */
export interface TermGroup {
  /** Bit of the query's term, for the share of terms that a passage has. */
  readonly bit: number;
  /** Multiplier of the score. */
  readonly weight: number;
  /** Words of each segment, by their positions in its dictionary. */
  readonly words: readonly (readonly number[])[];
}

export interface KeywordQuery {
  readonly groups: readonly TermGroup[];
  /** The number of the query's terms, found or not. */
  readonly terms: number;
}

/**
 * Words that occur in nearly every English text. They are searched only when a query has no other words: at 100,000 passages they
 * would take most of the time.
 */
const stopWords = new Set(
  "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or our should so than that the their there these they this to was we were what when where which who why will with would you your"
    .split(" ")
    .flatMap((word) => termsOf(word).map(({ term }) => term)),
);

/** Distinct terms of a query that are searched: time is proportional to them. At most 32, the bits of an integer. */
const maxQueryTerms = 32;

/** The shortest unfinished word that is searched as a prefix, and the most words that it stands for: those in most passages. */
const minPrefixLength = 2;
const maxPrefixWords = 64;

/** The shortest words that may be misspelled: of one edit, and of two. */
const minTypoLength = 5;
const minTwoTyposLength = 8;

/** Multipliers of scores: words that start with the typed one, and words at an edit distance of 1 and 2. */
const prefixWeight = 0.4;
const typoWeights = [1, 0.5, 0.3];

/**
 * Looks up the words of a query. A term stands for all words with its stem. The last word, while it is typed, also stands for the words
 * that it begins. Only a word that is nowhere in the index stands for similarly spelled ones.
 */
export function keywordQueryOf({ text, unfinished }: Query, segments: readonly Segment[]): KeywordQuery {
  const all = termsOf(text);
  const content = all.filter(({ term }) => !stopWords.has(term));
  const terms = distinct(content.length > 0 ? content : all).slice(0, maxQueryTerms);
  const last = terms.at(-1);
  const typed = unfinished && last !== undefined && last.end === all.at(-1)?.end && last.word.length >= minPrefixLength ? last : null;
  const groups = terms.flatMap((term, bit): TermGroup[] => {
    const exact = segments.map((segment) => wordsOfTerm(segment, term.term));
    const found = exact.some((words) => words.length > 0) ? [{ bit, weight: 1, words: exact }] : [];
    const longer = term === typed ? wordsWithPrefix(segments, term, exact) : [];
    if (longer.some((words) => words.length > 0)) return [...found, { bit, weight: prefixWeight, words: longer }];
    return found.length > 0 ? found : similarWords(segments, term, bit);
  });
  return { groups, terms: terms.length };
}

/** The words of a segment that a query stands for. @param place of the segment among those of the query */
export function queryWords({ groups }: KeywordQuery, segment: Segment, place: number): Set<string> {
  return new Set(groups.flatMap(({ words }) => (words[place] ?? []).map((word) => segment.words.get(word))));
}

function wordsOfTerm(segment: Segment, term: string): readonly number[] {
  const position = segment.terms.find(term);
  return position === -1 ? [] : [...segment.wordsOfTerm(position)];
}

function wordsWithPrefix(segments: readonly Segment[], { word }: Term, exact: readonly (readonly number[])[]): number[][] {
  const counts = new Map<string, number>();
  const found = segments.map((segment, i) => {
    const [from, to] = segment.words.rangeOf(word);
    const known = new Set(exact[i]);
    const words = Array.from({ length: to - from }, (_, place) => from + place).filter((position) => !known.has(position));
    // The most frequent words of a segment include those of the whole index, unless it has very many small segments.
    words.sort((a, b) => (segment.arrays.wordCounts[b] ?? 0) - (segment.arrays.wordCounts[a] ?? 0) || a - b);
    return words.slice(0, 4 * maxPrefixWords).map((position) => ({ position, text: segment.words.get(position) }));
  });
  for (const [i, words] of found.entries()) {
    for (const { position, text } of words) counts.set(text, (counts.get(text) ?? 0) + (segments[i]?.arrays.wordCounts[position] ?? 0));
  }
  const kept = new Set(
    [...counts]
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .slice(0, maxPrefixWords)
      .map(([text]) => text),
  );
  return found.map((words) => words.filter(({ text }) => kept.has(text)).map(({ position }) => position));
}

/** A group for each distance: of the words at distance 1, or if there are none, of those at distance 2. */
function similarWords(segments: readonly Segment[], { word }: Term, bit: number): TermGroup[] {
  const length = Array.from(word).length;
  const maxDistance = length < minTypoLength ? 0 : length < minTwoTyposLength ? 1 : 2;
  for (let distance = 1; distance <= maxDistance; distance++) {
    const words = segments.map((segment) => segment.words.similar(word, distance));
    if (words.some(({ length: count }) => count > 0)) return [{ bit, weight: typoWeights[distance] ?? 0, words }];
  }
  return [];
}

/** Each term once, in the order of last occurrences: an unfinished last word stays the last. */
function distinct(terms: readonly Term[]): Term[] {
  const latest = new Map(terms.map((term, i) => [term.term, i]));
  return terms.filter(({ term }, i) => latest.get(term) === i);
}
