import MiniSearch, { type AsPlainObject, type Options } from "minisearch";
import { type ByteReader, ByteWriter, FormatError } from "../index/bytes.ts";
import type { Query } from "../index/query.ts";
import { foldText, phraseTest, type Term, termsOf } from "../index/terms.ts";

/** The indexed text of a passage. */
export interface LexicalEntry {
  /** Unique and ascending: a later passage has a higher key. */
  readonly key: number;
  /** The title of its document and the headings above it. */
  readonly title: string;
  readonly text: string;
}

/** A passage that contains terms of the query. */
export interface LexicalMatch {
  readonly key: number;
  /** BM25: comparable within one query only. */
  readonly score: number;
  /** The passage's terms that matched. */
  readonly terms: readonly string[];
  /** The share of the query's terms that were found: 1 for all of them. */
  readonly share: number;
}

export interface LexicalSearchOptions {
  /** Default: all matches. */
  readonly limit?: number;
  /** Filters passages. Default all. */
  readonly accept?: (key: number) => boolean;
}

const fields = ["title", "text"] as const;

/** Chosen on the odd queries of Cranfield (`npm run bench -- search`). */
const bm25 = { k: 2, b: 0.9, d: 0.5 };

const options: Options<LexicalEntry> = {
  idField: "key",
  fields: [...fields],
  tokenize: (text) => termsOf(text).map(({ term }) => term),
  processTerm: (term) => term,
  searchOptions: { bm25 },
};

/**
 * Words that occur in nearly every English text. They are searched only when a query has no other words: at 100,000 passages they
 * would take most of the time.
 */
const stopWords = new Set(
  "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or our should so than that the their there these they this to was we were what when where which who why will with would you your"
    .split(" ")
    .flatMap((word) => termsOf(word).map(({ term }) => term)),
);

/** Distinct terms of a query that are searched: time is proportional to them. */
const maxQueryTerms = 32;

/** Distinct terms of a phrase, the longest, by which candidates are found before their text is compared. */
const maxPhraseTerms = 3;

/** The edit distance per letter of the fuzzy search, which runs when no term of the query occurs anywhere. */
const fuzziness = 0.2;

/** The shortest unfinished word that is searched as a prefix. */
const minPrefixLength = 2;

/** Keyword search over passages: MiniSearch with multilingual terms, phrases, exclusions and a file format. */
export class LexicalIndex {
  readonly #index: MiniSearch<LexicalEntry>;
  readonly #textOf: (key: number) => string;

  /** @param textOf title and text of a passage, in which phrases are searched */
  constructor(textOf: (key: number) => string, index = new MiniSearch<LexicalEntry>(options)) {
    this.#textOf = textOf;
    this.#index = index;
  }

  get size(): number {
    return this.#index.documentCount;
  }

  add(entry: LexicalEntry): void {
    this.#index.add(entry);
  }

  /** Throws for an unknown key. */
  remove(key: number): void {
    this.#index.discard(key);
  }

  /** Up to `limit` passages that contain any term of the query, best first; when there are none, those with similarly spelled terms. */
  search({ text, unfinished }: Query, { limit, accept = () => true }: LexicalSearchOptions = {}): LexicalMatch[] {
    const allTerms = termsOf(text);
    const contentTerms = allTerms.filter(({ term }) => !stopWords.has(term));
    const queryTerms = distinct(contentTerms.length > 0 ? contentTerms : allTerms).slice(0, maxQueryTerms);
    const last = queryTerms.at(-1);
    const isPrefix = unfinished && last !== undefined && last.end === allTerms.at(-1)?.end && last.word.length >= minPrefixLength;
    const searched = new Set(queryTerms.map(({ term }) => term));
    // The prefix is the word as typed: its stem may be the prefix of other words.
    const prefix = isPrefix ? last.word : null;
    if (prefix !== null) searched.add(prefix);
    const find = (fuzzy: number | false) =>
      this.#index.search(text, {
        tokenize: () => [...searched],
        prefix: (term) => term === prefix,
        fuzzy,
        filter: ({ id }) => accept(id),
      });
    const exact = find(false);
    const found = exact.length > 0 ? exact : find(fuzziness);
    const alternatives = queryTerms.map((word) => (prefix !== null && word === last ? [word.term, prefix] : [word.term]));
    return found.slice(0, limit).map(({ id, score, match, queryTerms: matchedTerms }) => {
      const matched = new Set(matchedTerms);
      const share = alternatives.filter((terms) => terms.some((term) => matched.has(term))).length / alternatives.length;
      return { key: id, score, terms: Object.keys(match), share };
    });
  }

  /** A predicate for the passages that contain all phrases of a query and none of its exclusions. Null when it has neither. */
  operatorTest({ phrases, excluded }: Query): ((key: number) => boolean) | null {
    if (phrases.length === 0 && excluded.length === 0) return null;
    const texts = new Map<number, string>();
    const foldedTextOf = (key: number): string => {
      const folded = texts.get(key) ?? foldText(this.#textOf(key));
      texts.set(key, folded);
      return folded;
    };
    const passagesWith = (phrase: string) => this.#passagesWith(phrase, foldedTextOf);
    const required = [...new Set(phrases)].map(passagesWith);
    const banned = [...new Set(excluded)].map(passagesWith);
    return (key) => required.every((keys) => keys.has(key)) && !banned.some((keys) => keys.has(key));
  }

  #passagesWith(phrase: string, foldedTextOf: (key: number) => string): ReadonlySet<number> {
    const longestFirst = distinct(termsOf(phrase)).sort((a, b) => b.term.length - a.term.length);
    const terms = longestFirst.slice(0, maxPhraseTerms).map(({ term }) => term);
    const candidates = this.#index.search(phrase, { tokenize: () => terms, combineWith: "AND" });
    const hasPhrase = phraseTest(phrase);
    return new Set(candidates.map(({ id }) => id as number).filter((key) => hasPhrase(foldedTextOf(key))));
  }

  /**
   * Serializes the index of these passages; a passage's position in `keys` replaces its key. The bytes depend on the passages alone:
   * removed passages leave no trace. docs/index-file.md describes the format.
   */
  toBytes(keys: readonly number[]): Uint8Array<ArrayBuffer> {
    const { index, documentIds, fieldLength } = this.#index.toJSON();
    const places = new Map(keys.map((key, place) => [key, place]));
    const placeOf = (shortId: string) => places.get(documentIds[shortId]);
    const writer = new ByteWriter();

    const lengths = new Array<readonly number[]>(keys.length).fill([]);
    for (const [shortId, perField] of Object.entries(fieldLength)) {
      const place = placeOf(shortId);
      if (place !== undefined) lengths[place] = perField;
    }
    writer.varint(keys.length);
    for (const perField of lengths) for (const field of fields.keys()) writer.varint(perField[field] ?? 0);

    const terms = index
      .map(([term, perField]) => ({
        term,
        postings: Array.from(fields.keys(), (field) =>
          Object.entries(perField[field] ?? {})
            .flatMap(([shortId, count]): Posting[] => {
              const place = placeOf(shortId);
              return place === undefined ? [] : [{ place, count: Number(count) }];
            })
            .sort((a, b) => a.place - b.place),
        ),
      }))
      .filter(({ postings }) => postings.some((list) => list.length > 0))
      .sort((a, b) => (a.term < b.term ? -1 : 1));
    writer.varint(terms.length);
    const encoder = new TextEncoder();
    for (const { term, postings } of terms) {
      const bytes = encoder.encode(term);
      writer.varint(bytes.length);
      writer.bytes(bytes);
      for (const list of postings) {
        writer.varint(list.length);
        let next = 0;
        for (const { place, count } of list) {
          writer.varint(place - next);
          writer.varint(count);
          next = place + 1;
        }
      }
    }
    return writer.finish();
  }

  /**
   * Reads the bytes of {@link toBytes}; `keys` replace the positions. Memory is proportional to the bytes, whatever their counts say.
   * Throws {@link FormatError} when the bytes are not valid.
   */
  static fromBytes(reader: ByteReader, keys: readonly number[], textOf: (key: number) => string): LexicalIndex {
    if (reader.varint() !== keys.length) throw new FormatError("its keyword index has another number of passages");
    const fieldLength = keys.map(() => Array.from(fields, () => reader.varint()));
    const sums = Array.from(fields.keys(), (field) => fieldLength.reduce((sum, lengths) => sum + (lengths[field] ?? 0), 0));

    const decoder = new TextDecoder("utf-8", { fatal: true });
    const index: AsPlainObject["index"] = [];
    let previous = "";
    for (let terms = reader.count(1 + fields.length); terms > 0; terms--) {
      const term = decodeTerm(decoder, reader.bytes(reader.varint()));
      if (term <= previous) throw new FormatError("its terms are not in order");
      previous = term;
      const perField: Record<string, Record<string, number>> = {};
      for (const field of fields.keys()) {
        const postings: [number, number][] = [];
        let next = 0;
        for (let left = reader.count(2); left > 0; left--) {
          const place = next + reader.varint();
          const count = reader.varint();
          if (place >= keys.length || count === 0) throw new FormatError("a term names a passage that does not exist");
          postings.push([place, count]);
          next = place + 1;
        }
        if (postings.length > 0) perField[field] = Object.fromEntries(postings);
      }
      index.push([term, perField as never]);
    }
    if (reader.remaining > 0) throw new FormatError("it has bytes after its keyword index");
    const loaded = MiniSearch.loadJS<LexicalEntry>(
      {
        documentCount: keys.length,
        nextId: keys.length,
        documentIds: Object.fromEntries(keys.entries()),
        fieldIds: Object.fromEntries(fields.map((field, id) => [field, id])),
        fieldLength: Object.fromEntries(fieldLength.entries()),
        averageFieldLength: sums.map((sum) => sum / Math.max(1, keys.length)),
        storedFields: {},
        dirtCount: 0,
        index,
        serializationVersion: 2,
      },
      options,
    );
    return new LexicalIndex(textOf, loaded);
  }
}

/** Each term once, in the order of last occurrences: an unfinished last word stays the last. */
function distinct(terms: readonly Term[]): Term[] {
  const latest = new Map(terms.map((term, i) => [term.term, i]));
  return terms.filter(({ term }, i) => latest.get(term) === i);
}

interface Posting {
  readonly place: number;
  /** Occurrences of the term in the passage. */
  readonly count: number;
}

function decodeTerm(decoder: TextDecoder, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FormatError("a term is not UTF-8");
  }
}
