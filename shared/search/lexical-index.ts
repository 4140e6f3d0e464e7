import MiniSearch, { type AsPlainObject, type Options } from "minisearch";
import { type ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import type { Query } from "./query.ts";
import { phraseTest, termsOf } from "./terms.ts";

/** A passage's words. */
export interface LexicalEntry {
  /** Chosen by the caller; a passage that comes later has a higher one. */
  readonly key: number;
  /** The title of its document and the headings above it. */
  readonly title: string;
  readonly text: string;
}

/** A passage that has words of the query. */
export interface LexicalMatch {
  readonly key: number;
  /** By BM25: comparable within one answer only. */
  readonly score: number;
  /** What was found in it: terms of the query, or such as begin like its last word. */
  readonly terms: readonly string[];
  /** The share of the words looked for that were found: 1 for all of them. */
  readonly share: number;
}

const fields = ["title", "text"] as const;

/**
 * Chosen on the odd queries of Cranfield (`npm run bench -- search`). Against the defaults, a word that repeats itself gains
 * more, and the length of a passage counts nearly in full.
 */
const bm25 = { k: 2, b: 0.9, d: 0.5 };

const options: Options<LexicalEntry> = {
  idField: "key",
  fields: [...fields],
  tokenize: (text) => termsOf(text).map(({ term }) => term),
  processTerm: (term) => term,
  searchOptions: { bm25 },
};

/**
 * Words that stand in nearly every English text. They are looked for only when a query has no others: at 100,000 passages
 * they would take most of the time.
 */
const functionWords = new Set(
  "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or our should so than that the their there these they this to was we were what when where which who why will with would you your"
    .split(" ")
    .flatMap((word) => termsOf(word).map(({ term }) => term)),
);

/** How far, in edits per letter, a word may be from one of the query for which there is nothing at all. */
const fuzziness = 0.2;

/** The shortest word that stands for all that begin with it while it is typed. */
const shortestPrefix = 2;

/** Passages by their words: MiniSearch, with terms that suit many scripts, phrases, exclusions and a form for files. */
export class LexicalIndex {
  readonly #words: MiniSearch<LexicalEntry>;
  readonly #textOf: (key: number) => string;

  /** @param textOf title and text of a passage, in which phrases are looked for */
  constructor(textOf: (key: number) => string, words = new MiniSearch<LexicalEntry>(options)) {
    this.#textOf = textOf;
    this.#words = words;
  }

  get size(): number {
    return this.#words.documentCount;
  }

  add(entry: LexicalEntry): void {
    this.#words.add(entry);
  }

  /** Throws when the key is not there. */
  remove(key: number): void {
    this.#words.discard(key);
  }

  /** Passages with any word of the query, best first; when there are none, those with words that are spelled nearly so. */
  search({ wanted, unfinished }: Query, accept: (key: number) => boolean = () => true): LexicalMatch[] {
    const terms = termsOf(wanted);
    const telling = terms.filter(({ term }) => !functionWords.has(term));
    const asked = telling.length > 0 ? telling : terms;
    const last = asked.at(-1);
    const grows = unfinished && last !== undefined && last === terms.at(-1) && last.word.length >= shortestPrefix;
    const words = [...new Set(asked.map(({ term }) => term))];
    // What may go on is looked for as it was typed: its stem is another word's beginning.
    const prefix = grows ? last.word : null;
    if (prefix !== null && !words.includes(prefix)) words.push(prefix);
    const find = (fuzzy: number | false) =>
      this.#words.search(wanted, { tokenize: () => words, prefix: (term) => term === prefix, fuzzy, filter: ({ id }) => accept(id) });
    const exact = find(false);
    const found = exact.length > 0 ? exact : find(fuzziness);
    const sought = asked.map((word) => (prefix !== null && word === last ? [word.term, prefix] : [word.term]));
    return found.map(({ id, score, match, queryTerms }) => {
      const matched = new Set(queryTerms);
      const share = sought.filter((ways) => ways.some((term) => matched.has(term))).length / sought.length;
      return { key: id, score, terms: Object.keys(match), share };
    });
  }

  /** Which passages the signs of a query let through: all its phrases are in them, and nothing that it excludes. Null for all. */
  admitted({ phrases, excluded }: Query): ((key: number) => boolean) | null {
    if (phrases.length === 0 && excluded.length === 0) return null;
    const required = phrases.map((phrase) => this.#holding(phrase));
    const banned = excluded.map((phrase) => this.#holding(phrase));
    return (key) => required.every((keys) => keys.has(key)) && !banned.some((keys) => keys.has(key));
  }

  #holding(phrase: string): ReadonlySet<number> {
    const words = termsOf(phrase).map(({ term }) => term);
    const candidates = this.#words.search(phrase, { tokenize: () => words, combineWith: "AND" });
    const holds = phraseTest(phrase);
    return new Set(candidates.map(({ id }) => id as number).filter((key) => holds(this.#textOf(key))));
  }

  /**
   * The index of these passages, whose place in the list stands for their key. What was removed is not in it, so that it
   * depends on nothing but the passages. The format is told in docs/index-file.md.
   */
  toBytes(keys: readonly number[]): Uint8Array<ArrayBuffer> {
    const { index, documentIds, fieldLength } = this.#words.toJSON();
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
   * What {@link toBytes} wrote, with these keys in the places of the old ones. Takes as much memory as the bytes call for,
   * whatever they announce. Throws {@link FormatError} when they are not such an index.
   */
  static fromBytes(reader: ByteReader, keys: readonly number[], textOf: (key: number) => string): LexicalIndex {
    if (reader.varint() !== keys.length) throw new FormatError("its words are of another number of passages");
    const fieldLength = keys.map(() => Array.from(fields, () => reader.varint()));
    const sums = Array.from(fields.keys(), (field) => fieldLength.reduce((sum, lengths) => sum + (lengths[field] ?? 0), 0));

    const decoder = new TextDecoder("utf-8", { fatal: true });
    const index: AsPlainObject["index"] = [];
    let previous = "";
    for (let terms = reader.count(1 + fields.length); terms > 0; terms--) {
      const term = decodeTerm(decoder, reader.bytes(reader.varint()));
      if (term <= previous) throw new FormatError("its words are not in order");
      previous = term;
      const perField: Record<string, Record<string, number>> = {};
      for (const field of fields.keys()) {
        const postings: [number, number][] = [];
        let next = 0;
        for (let left = reader.count(2); left > 0; left--) {
          const place = next + reader.varint();
          const count = reader.varint();
          if (place >= keys.length || count === 0) throw new FormatError("its words name a passage that is not there");
          postings.push([place, count]);
          next = place + 1;
        }
        if (postings.length > 0) perField[field] = Object.fromEntries(postings);
      }
      index.push([term, perField as never]);
    }
    if (reader.remaining > 0) throw new FormatError("there is something behind its words");
    const words = MiniSearch.loadJS<LexicalEntry>(
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
    return new LexicalIndex(textOf, words);
  }
}

interface Posting {
  readonly place: number;
  /** How often the passage has the term. */
  readonly count: number;
}

function decodeTerm(decoder: TextDecoder, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FormatError("one of its words is not UTF-8");
  }
}
