import { nextTurn } from "../async.ts";
import { filterTest, type PassageRelevance, resultOf, type SearchOptions, type SearchResult } from "./answer.ts";
import { ByteReader } from "./bytes.ts";
import { cutDocumentsOfFile, filedEntries } from "./filed-entries.ts";
import { fuseRankings, fusion, weightByWords } from "./fusion.ts";
import { type IndexContents, refusingFormatErrors } from "./index-file.ts";
import { LexicalIndex } from "./lexical-index.ts";
import { type Entry, embeddedTextOf, entryOf, type Passage, PassageTable, wordsOfPassage } from "./passages.ts";
import type { Query } from "./query.ts";
import { leastRelevance } from "./relevance.ts";
import { SemanticIndex } from "./semantic-index.ts";

/** How long documents are taken in, in ms, before whatever else waits on this thread has its turn. */
const longestTurn = 12;

/** Documents that can be searched by words, and by meaning as far as they have vectors. It computes none itself. */
export class SearchIndex {
  readonly #table = new PassageTable();
  readonly meanings = new SemanticIndex(this.#table);
  #words = new LexicalIndex((key) => this.#textOf(key));

  /** Passages that words can find. */
  get size(): number {
    return this.#words.size;
  }

  entries(): Entry[] {
    return this.#table.entries();
  }

  entry(id: string): Entry | null {
    return this.#table.entry(id);
  }

  /** The passages that are embedded alike. */
  sharing(hash: string): ReadonlySet<Passage> {
    return this.#table.sharing(hash);
  }

  /**
   * The passages that words or meaning find, best first; only what is at all relevant.
   * @param vector the query's; null to search by words alone, in whatever mode
   */
  search(query: Query, vector: Float32Array | null, { limit = 8, mode = "hybrid", filter = {} }: SearchOptions): SearchResult[] {
    const inFilter = filterTest(filter);
    const admitted = this.#words.admitted(query) ?? (() => true);
    const accept = (passage: Passage | null) => passage !== null && inFilter(passage.entry) && admitted(passage.key);
    const byWords = mode === "semantic" ? [] : this.#words.search(query, (key) => accept(this.#table.passage(key))).slice(0, fusion.depth);
    const byMeaning = vector ? this.meanings.nearest(vector, Math.max(limit, fusion.depth), accept) : [];
    const matches = new Map(byWords.map((match) => [match.key, match]));
    const fused = fuseRankings([
      // Alone, the words keep their order: BM25 has weighed what was found.
      byWords.map(({ key, share }) => ({ key, weight: vector ? weightByWords(share) : 1 })),
      byMeaning.map(({ key }) => ({ key, weight: 1 })),
    ]);
    const results: SearchResult[] = [];
    for (const key of fused) {
      if (results.length >= limit) break;
      const passage = this.#table.passage(key);
      const match = matches.get(key);
      const nearness = passage && this.meanings.nearness(passage, vector);
      // A few words of the query do not make a passage relevant of which the model knows better.
      if (!nearness || !(match?.share === 1 || (nearness.relevance ?? 1) >= leastRelevance)) continue;
      results.push(resultOf(passage, nearness, match));
    }
    return results;
  }

  /** How near a query is to each passage of a document, in order. Null when there is no such document. */
  relevanceIn(id: string, vector: Float32Array | null): PassageRelevance[] | null {
    const passages = this.#table.entry(id)?.passages ?? null;
    return (
      passages?.map((passage) => ({
        start: passage.chunk.start,
        end: passage.chunk.end,
        relevance: this.meanings.nearness(passage, vector).relevance,
      })) ?? null
    );
  }

  /** Puts documents in, each in the place of one that has its id; vectors that they share stay. Returns those that had to go. */
  async put(entries: readonly Entry[]): Promise<Entry[]> {
    const replaced: Entry[] = [];
    const rest = pauses();
    for (const entry of entries) {
      // Words of passages that are not in the table yet find nothing: a document appears as a whole.
      for (const passage of entry.passages) {
        this.#words.add(wordsOfPassage(passage));
        await rest();
      }
      const old = this.#table.entry(entry.document.id);
      if (old) this.#table.remove(old);
      this.#enter(entry);
      if (!old) continue;
      await this.#forget(old, rest);
      replaced.push(old);
    }
    return replaced;
  }

  /** Takes documents out, and the vectors that no other has in common with them. */
  async remove(entries: readonly Entry[]): Promise<void> {
    const rest = pauses();
    for (const entry of entries) this.#table.remove(entry);
    for (const entry of entries) await this.#forget(entry, rest);
  }

  /** Gives a text's vector to the passages that have it, if there still are any. */
  keepVector(hash: string, vector: Float32Array): void {
    if (this.#table.sharing(hash).size > 0) this.meanings.keep(hash, vector);
  }

  /** The documents that were added, for an index file: the same documents and vectors give the same contents. */
  contents(fingerprint: string): IndexContents {
    const { entries, documents, vectors } = filedEntries(this.entries(), (hash) => this.meanings.get(hash));
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    return { fingerprint, dimensions: this.meanings.dimensions || 1, documents, vectors, words: this.#words.toBytes(keys) };
  }

  /**
   * Takes in what an index file holds, each document in the place of one that has its id.
   * @param withVectors whether its vectors are of the same model as those that are here
   * @throws {EncoderError} with `invalid_index`, and then nothing is changed
   */
  async takeIn({ documents, vectors, words }: IndexContents, withVectors: boolean): Promise<Entry[]> {
    const entries = (await cutDocumentsOfFile(documents)).map((document) => entryOf(document));
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    const imported = refusingFormatErrors(() => LexicalIndex.fromBytes(new ByteReader(words), keys, (key) => this.#textOf(key)));
    await this.remove(entries.flatMap(({ document }) => this.#table.entry(document.id) ?? []));
    // Far fewer words stand in what is there than in what comes: the index that was read is the one that grows.
    for (const { passages } of this.#table.entries()) for (const passage of passages) imported.add(wordsOfPassage(passage));
    this.#words = imported;
    for (const [i, entry] of entries.entries()) {
      this.#enter(entry);
      if (!withVectors) continue;
      for (const [j, { hash }] of entry.passages.entries()) {
        const vector = vectors[documents[i]?.passages[j]?.vector ?? -1];
        if (vector) this.keepVector(hash, vector);
      }
    }
    return entries;
  }

  #enter(entry: Entry): void {
    this.#table.add(entry);
    entry.embedded = entry.passages.filter(({ hash, readable }) => readable && this.meanings.has(hash)).length;
  }

  async #forget(entry: Entry, rest: () => Promise<void> | void): Promise<void> {
    for (const { key, hash } of entry.passages) {
      this.#words.remove(key);
      if (this.#table.sharing(hash).size === 0) this.meanings.delete(hash);
      await rest();
    }
  }

  #textOf(key: number): string {
    const passage = this.#table.passage(key);
    return passage ? embeddedTextOf(passage) : "";
  }
}

/** What is awaited between small pieces of work, so that others have their turn now and then. */
function pauses(): () => Promise<void> | void {
  let began = performance.now();
  return () => {
    if (performance.now() - began < longestTurn) return;
    return nextTurn().then(() => {
      began = performance.now();
    });
  };
}
