import { nextTurn } from "../async.ts";
import { ByteReader } from "../index/bytes.ts";
import type { Query } from "../index/query.ts";
import { minRelevance } from "../index/relevance.ts";
import { filterTest, type PassageRelevance, resultOf, type SearchOptions, type SearchResult } from "./answer.ts";
import { fuseRankings, fusion, keywordWeight } from "./fusion.ts";
import { type IndexContents, withInvalidIndexErrors } from "./index-file.ts";
import { chunkedDocumentsOfFile, indexFileEntries } from "./index-file-entries.ts";
import { LexicalIndex } from "./lexical-index.ts";
import { type Entry, embeddedTextOf, entryOf, lexicalEntryOf, type Passage, PassageTable } from "./passages.ts";
import { SemanticIndex } from "./semantic-index.ts";

/** ms of indexing after which the event loop runs other tasks. */
const maxTaskTime = 12;

/** A keyword index and a semantic index over the same passages. It computes no vectors. */
export class SearchIndex {
  readonly #table = new PassageTable();
  readonly semantic = new SemanticIndex(this.#table);
  #keyword = new LexicalIndex((key) => this.#textOf(key));

  /** The number of passages in the keyword index. */
  get size(): number {
    return this.#keyword.size;
  }

  entries(): Entry[] {
    return this.#table.entries();
  }

  entry(id: string): Entry | null {
    return this.#table.entry(id);
  }

  passagesByHash(hash: string): ReadonlySet<Passage> {
    return this.#table.passagesByHash(hash);
  }

  /**
   * The relevant passages, best first.
   * @param vector the query's; null for keyword search, whatever the mode
   */
  search(query: Query, vector: Float32Array | null, { limit = 8, mode = "hybrid", filter = {} }: SearchOptions): SearchResult[] {
    const inFilter = filterTest(filter);
    const passesOperators = this.#keyword.operatorTest(query) ?? (() => true);
    const accept = (passage: Passage | null) => passage !== null && inFilter(passage.entry) && passesOperators(passage.key);
    const keywordMatches =
      mode === "semantic" ? [] : this.#keyword.search(query, { limit: fusion.depth, accept: (key) => accept(this.#table.passage(key)) });
    const semanticMatches = vector ? this.semantic.search(vector, Math.max(limit, fusion.depth), accept) : [];
    const matches = new Map(keywordMatches.map((match) => [match.key, match]));
    const fused = fuseRankings([
      // Without a second ranking, keyword matches keep the order of BM25.
      keywordMatches.map(({ key, share }) => ({ key, weight: vector ? keywordWeight(share) : 1 })),
      semanticMatches.map(({ key }) => ({ key, weight: 1 })),
    ]);
    const results: SearchResult[] = [];
    for (const key of fused) {
      if (results.length >= limit) break;
      const passage = this.#table.passage(key);
      const match = matches.get(key);
      const similarity = passage && this.semantic.similarity(passage, vector);
      // A partial keyword match does not make a passage relevant when its vector says otherwise.
      if (!similarity || !(match?.share === 1 || (similarity.relevance ?? 1) >= minRelevance)) continue;
      results.push(resultOf(passage, similarity, match));
    }
    return results;
  }

  /** The relevance of each passage of a document, in order. Null for an unknown document. */
  relevanceIn(id: string, vector: Float32Array | null): PassageRelevance[] | null {
    const passages = this.#table.entry(id)?.passages ?? null;
    return (
      passages?.map((passage) => ({
        start: passage.chunk.start,
        end: passage.chunk.end,
        relevance: this.semantic.similarity(passage, vector).relevance,
      })) ?? null
    );
  }

  /** Adds documents; a document replaces the one with the same id, and reuses its vectors. Returns the replaced entries. */
  async put(entries: readonly Entry[]): Promise<Entry[]> {
    const replaced: Entry[] = [];
    const yieldIfDue = yieldRegularly();
    for (const entry of entries) {
      // A passage is found only once it is in the table: a document appears as a whole.
      for (const passage of entry.passages) {
        this.#keyword.add(lexicalEntryOf(passage));
        await yieldIfDue();
      }
      const old = this.#table.entry(entry.document.id);
      if (old) this.#table.remove(old);
      this.#addToTable(entry);
      if (!old) continue;
      await this.#removeFromIndexes(old, yieldIfDue);
      replaced.push(old);
    }
    return replaced;
  }

  /** Removes documents, and the vectors that no other document uses. */
  async remove(entries: readonly Entry[]): Promise<void> {
    const yieldIfDue = yieldRegularly();
    for (const entry of entries) this.#table.remove(entry);
    for (const entry of entries) await this.#removeFromIndexes(entry, yieldIfDue);
  }

  /** Sets the vector of all passages with this hash. Ignored when there are none any more. */
  setVector(hash: string, vector: Float32Array): void {
    if (this.#table.passagesByHash(hash).size > 0) this.semantic.set(hash, vector);
  }

  /** The added documents for an index file: the same documents and vectors give the same contents. */
  contents(fingerprint: string): IndexContents {
    const { entries, documents, vectors } = indexFileEntries(this.entries(), (hash) => this.semantic.get(hash));
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    return { fingerprint, dimensions: this.semantic.dimensions || 1, documents, vectors, terms: this.#keyword.toBytes(keys) };
  }

  /**
   * Adds the documents of an index file; a document replaces the one with the same id.
   * @param withVectors whether the file's vectors are of the model of this index
   * @throws {EncoderError} with `invalid_index`, before any change
   */
  async importContents({ documents, vectors, terms }: IndexContents, withVectors: boolean): Promise<Entry[]> {
    const entries = (await chunkedDocumentsOfFile(documents)).map((document) => entryOf(document));
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    const imported = withInvalidIndexErrors(() => LexicalIndex.fromBytes(new ByteReader(terms), keys, (key) => this.#textOf(key)));
    await this.remove(entries.flatMap(({ document }) => this.#table.entry(document.id) ?? []));
    // An import is usually much larger than what is here: the imported index grows by the present passages.
    for (const { passages } of this.#table.entries()) for (const passage of passages) imported.add(lexicalEntryOf(passage));
    this.#keyword = imported;
    for (const [i, entry] of entries.entries()) {
      this.#addToTable(entry);
      if (!withVectors) continue;
      for (const [j, { hash }] of entry.passages.entries()) {
        const vector = vectors[documents[i]?.passages[j]?.vector ?? -1];
        if (vector) this.setVector(hash, vector);
      }
    }
    return entries;
  }

  #addToTable(entry: Entry): void {
    this.#table.add(entry);
    entry.embedded = entry.passages.filter(({ hash, readable }) => readable && this.semantic.has(hash)).length;
  }

  async #removeFromIndexes(entry: Entry, yieldIfDue: () => Promise<void> | void): Promise<void> {
    for (const { key, hash } of entry.passages) {
      this.#keyword.remove(key);
      if (this.#table.passagesByHash(hash).size === 0) this.semantic.delete(hash);
      await yieldIfDue();
    }
  }

  #textOf(key: number): string {
    const passage = this.#table.passage(key);
    return passage ? embeddedTextOf(passage) : "";
  }
}

/** A function to await between small pieces of work. It lets other tasks run every {@link maxTaskTime} ms. */
function yieldRegularly(): () => Promise<void> | void {
  let began = performance.now();
  return () => {
    if (performance.now() - began < maxTaskTime) return;
    return nextTurn().then(() => {
      began = performance.now();
    });
  };
}
