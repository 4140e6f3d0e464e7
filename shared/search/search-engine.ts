import { abortable, type CallOptions, type Encoder } from "../encoder/encoder.ts";
import { EncoderError } from "../errors.ts";
import {
  type Answer,
  filterTest,
  type Nearness,
  type PassageRelevance,
  type Place,
  resultOf,
  type SearchOptions,
  type SearchResult,
} from "./answer.ts";
import { ByteReader } from "./bytes.ts";
import { type Coverage, coverageOf, EmbeddingQueue } from "./embedding-queue.ts";
import { entriesOfFile, filedEntries } from "./filed-entries.ts";
import { fuseRankings, fusion, type SearchMode, weightByWords } from "./fusion.ts";
import { IndexFileError, readIndexFile, refusingFormatErrors, writeIndexFile } from "./index-file.ts";
import { LexicalIndex } from "./lexical-index.ts";
import { type Document, type Library, textsOf } from "./library.ts";
import { type Entry, embeddedTextOf, entryOf, type Passage, PassageTable, wordsOfPassage } from "./passages.ts";
import { parseQuery } from "./query.ts";
import { centroidOf, leastRelevance, relevanceOf, usualBackground } from "./relevance.ts";
import { sentencesOf } from "./segments.ts";
import { dotProduct, VectorIndex } from "./vector-index.ts";

export interface AddOptions extends CallOptions {
  /** Told as passages can be found by meaning. */
  readonly onProgress?: (progress: Coverage) => void;
}

/** Query vectors that are kept, so that a query that is asked again costs nothing while documents come in. */
const keptQueries = 32;

/**
 * Searches documents by words and by meaning: a library that brings its vectors, and whatever is added. Words find a
 * document as soon as it was added; its passages are embedded in the background, what was added last before what came
 * earlier, and shorter documents first.
 */
export class SearchEngine {
  readonly #encoder: Pick<Encoder, "load" | "embed">;
  readonly #library: Library | null;
  readonly #table = new PassageTable();
  #words = new LexicalIndex((key) => this.#textOf(key));
  /** By what is embedded. Null until a model or an index file says how many dimensions there are. */
  #vectors: VectorIndex<string> | null = null;
  #fingerprint: string | null = null;
  /** The centroid of unrelated passages: see relevance.ts. Null without a library. */
  #cohort: Float32Array | null = null;
  /** By query: of the library's examples, and of what was asked lately. */
  #examples: ReadonlyMap<string, Float32Array> = new Map();
  readonly #asked = new Map<string, Float32Array>();

  readonly #queue = new EmbeddingQueue(
    ({ hash, readable }) => readable && !this.#vectors?.has(hash),
    (batch) => this.#embed(batch),
  );
  /** The latest change to each document that is still under way: an older one gives way to it. */
  readonly #changes = new Map<string, symbol>();

  readonly #opened: Promise<void>;
  #ready: Promise<void> | null = null;
  #loaded = false;

  /** Loads nothing: that is for the first call that needs the model. The library's example queries do not. */
  constructor(encoder: Pick<Encoder, "load" | "embed">, library: Library | null = null) {
    this.#encoder = encoder;
    this.#library = library;
    this.#opened = library ? this.#open(library) : Promise.resolve();
    this.#opened.catch(() => {});
  }

  /** Passages that words can find. */
  get size(): number {
    return this.#words.size;
  }

  /**
   * Loads the model. When it is not the one that the vectors were made with, everything is embedded anew, the library
   * before this resolves. Rejects as `Encoder.load` does; a failure is forgotten. Embedding that stopped is taken up.
   */
  load({ signal }: CallOptions = {}): Promise<void> {
    this.#ready ??= this.#load().catch((error) => {
      this.#ready = null;
      throw error;
    });
    return abortable(this.#ready, signal);
  }

  /**
   * Answers with what is there: `hybrid` does not wait for the model, but begins to load it, and `words` needs none.
   * `meaning` waits for it, unless the query is one of the library's examples. Rejects as `Encoder.embed` does.
   */
  async search(query: string, { limit = 8, mode = "hybrid", filter = {}, signal }: SearchOptions = {}): Promise<Answer> {
    await this.#opened;
    signal?.throwIfAborted();
    const parsed = parseQuery(query);
    const start = performance.now();
    const vector = mode === "words" || parsed.wanted === "" ? null : await this.#vectorFor(query, parsed.wanted, mode, signal);
    const embedded = performance.now();

    const inFilter = filterTest(filter);
    const admitted = this.#words.admitted(parsed) ?? (() => true);
    const accept = (passage: Passage | null) => passage !== null && inFilter(passage.entry.document) && admitted(passage.key);
    const byWords = mode === "meaning" ? [] : this.#words.search(parsed, (key) => accept(this.#table.passage(key))).slice(0, fusion.depth);
    const byMeaning = vector ? this.#byMeaning(vector, Math.max(limit, fusion.depth), accept) : [];
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
      const nearness = passage && this.#nearness(passage, vector);
      // A few words of the query do not make a passage relevant of which the model knows better.
      if (!nearness || !(match?.share === 1 || (nearness.relevance ?? 1) >= leastRelevance)) continue;
      results.push(resultOf(passage, nearness, match));
    }
    return {
      query,
      results,
      mode: vector ? mode : "words",
      coverage: this.coverage(),
      embedTime: vector && !this.#examples.has(query) ? embedded - start : null,
      scanTime: performance.now() - embedded,
    };
  }

  /** How near the query is to each passage of a document: a heat map. Null when there is no such document. */
  async relevanceIn(id: string, query: string, { signal }: CallOptions = {}): Promise<PassageRelevance[] | null> {
    const entry = this.#table.entry(id);
    const vector = await this.#vectorFor(query, parseQuery(query).wanted, "meaning", signal);
    return entry?.passages.map((passage) => ({ ...placeOf(passage.chunk), relevance: this.#nearness(passage, vector).relevance })) ?? null;
  }

  /** The sentence of a passage that is closest to the query in meaning. Null when there is no such passage. */
  async closestSentence(id: string, start: number, query: string, { signal }: CallOptions = {}): Promise<Place | null> {
    const passage = this.#table.entry(id)?.passages.find(({ chunk }) => chunk.start === start);
    const vector = await this.#vectorFor(query, parseQuery(query).wanted, "meaning", signal);
    const sentences = passage ? sentencesOf(passage.chunk.text) : [];
    const { vectors } = await this.#encoder.embed(
      sentences.map(({ text }) => text),
      signal && { signal },
    );
    const scores = vectors.map((sentence) => (vector ? dotProduct(vector, sentence) : 0));
    const best = sentences[scores.indexOf(Math.max(...scores))];
    return best ? { start: start + best.start, end: start + best.end } : null;
  }

  /**
   * Adds documents, each in the place of one that has its id. Words find a document as soon as it was cut into passages;
   * this resolves when all can be found by meaning that the model can read. What was embedded before is not embedded again.
   *
   * Lone surrogates are replaced by U+FFFD. Rejects with `empty_input` when there is no text in a document: then nothing
   * was changed. When it rejects later (as `Encoder.embed` does, or with the signal's reason) words find the documents
   * nonetheless, and the next `load` or `add` goes on embedding them.
   */
  async add(sources: Document | readonly Document[], { signal, onProgress }: AddOptions = {}): Promise<void> {
    const documents = [sources].flat().map(wellFormed);
    if (documents.some(({ text }) => text.trim() === "")) throw new EncoderError("empty_input", "There is no text in it");
    const change = Symbol("addition");
    for (const { id } of documents) this.#changes.set(id, change);
    await this.#opened;
    const entries: Entry[] = [];
    for (const document of documents) {
      const entry = await entryOf(document);
      if (this.#changes.get(document.id) !== change) continue;
      this.#changes.delete(document.id);
      this.#put(entry);
      entries.push(entry);
    }
    this.#queue.add(entries);
    await this.#queue.embedded(entries, signal, onProgress);
  }

  /** Forgets a document, and what of it is still to be embedded. */
  remove(id: string): void {
    this.#changes.delete(id);
    const entry = this.#table.entry(id);
    if (!entry) return;
    this.#table.remove(entry);
    this.#forget(entry);
  }

  /** All documents, the library's among them. */
  documents(): Document[] {
    return this.#table.entries().map(({ document }) => document);
  }

  document(id: string): Document | null {
    return this.#table.entry(id)?.document ?? null;
  }

  /** Whether the model can read no more than half of a document: words find it, meaning does not. */
  foundByWordsOnly(id: string): boolean {
    const passages = this.#table.entry(id)?.passages ?? [];
    return 2 * passages.filter(({ readable }) => readable).length <= passages.length && passages.length > 0;
  }

  /** Of one document, or of all. What the model cannot read does not count. */
  coverage(id?: string): Coverage {
    const entries = id === undefined ? this.#table.entries() : [this.#table.entry(id)].filter((entry) => entry !== null);
    return coverageOf(entries);
  }

  /** Embeds nothing more until {@link resume}, but what has begun. */
  pause(): void {
    this.#queue.pause();
  }

  resume(): void {
    this.#queue.resume();
  }

  /** All documents but the library's as an index file: the same documents and vectors give the same bytes. */
  async exportIndex(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#opened;
    if (!this.#fingerprint) await this.load();
    const { entries, documents, vectors } = filedEntries(this.#table.entries(), (hash) => this.#vectors?.get(hash) ?? null);
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    return writeIndexFile({
      fingerprint: this.#fingerprint ?? "",
      dimensions: this.#vectors?.dimensions ?? 1,
      documents,
      vectors,
      words: this.#words.toBytes(keys),
    });
  }

  /**
   * Adds the documents of an index file, each in the place of one that has its id. What has no vector in it is embedded.
   * Throws an {@link IndexFileError} and changes nothing when the file is not a good one; with `other_model` when its
   * vectors are another model's, unless they are to be made again (`reembed`).
   */
  async importIndex(file: Uint8Array<ArrayBuffer>, { reembed = false } = {}): Promise<void> {
    await this.#opened;
    const { fingerprint, dimensions, documents, vectors, words } = await readIndexFile(file);
    const same = this.#fingerprint === null || this.#fingerprint === fingerprint;
    if (!(same || reembed))
      throw new IndexFileError("other_model", "The index file was made with another model: its texts must be embedded anew");
    const entries = await entriesOfFile(documents);
    const keys = entries.flatMap(({ passages }) => passages.map(({ key }) => key));
    const imported = refusingFormatErrors(() => LexicalIndex.fromBytes(new ByteReader(words), keys, (key) => this.#textOf(key)));

    for (const { document } of entries) this.remove(document.id);
    // Far fewer words stand in what is there than in what comes: the index that was read is the one that grows.
    for (const { passages } of this.#table.entries()) for (const passage of passages) imported.add(wordsOfPassage(passage));
    this.#words = imported;
    for (const entry of entries) this.#enter(entry);
    if (same) {
      this.#fingerprint = fingerprint;
      this.#vectors ??= new VectorIndex(dimensions);
      for (const [i, entry] of entries.entries()) {
        for (const [j, { hash }] of entry.passages.entries()) {
          const vector = vectors[documents[i]?.passages[j]?.vector ?? -1];
          if (vector) this.#keepVector(hash, vector);
        }
      }
    }
    this.#queue.add(entries);
    if (this.#loaded) void this.#queue.run();
  }

  async #open(library: Library): Promise<void> {
    const vectors = library.passageVectors.values();
    for (const document of library.documents) {
      const entry = await entryOf(document, { builtIn: true });
      this.#put(entry);
      for (const { hash } of entry.passages) this.#keepVector(hash, vectors.next().value);
    }
    this.#useLibrary(library);
  }

  #useLibrary({ fingerprint, examples, passageVectors, queryVectors }: Library): void {
    this.#fingerprint = fingerprint;
    this.#cohort = centroidOf(passageVectors);
    this.#examples = new Map(queryVectors.map((vector, i) => [examples[i]?.query ?? "", vector]));
  }

  async #load(): Promise<void> {
    const { fingerprint, dimensions } = await this.#encoder.load();
    await this.#opened;
    if (fingerprint !== this.#fingerprint) {
      const library = this.#library && (await this.#reembedded(this.#library, fingerprint));
      this.#vectors = new VectorIndex(dimensions);
      const entries = this.#table.entries();
      for (const entry of entries) entry.embedded = 0;
      this.#asked.clear();
      this.#fingerprint = fingerprint;
      if (library) {
        const vectors = library.passageVectors.values();
        for (const { id } of library.documents) {
          for (const { hash } of this.#table.entry(id)?.passages ?? []) this.#keepVector(hash, vectors.next().value);
        }
        this.#useLibrary(library);
      }
      this.#queue.add(entries);
    }
    this.#loaded = true;
    void this.#queue.run();
  }

  async #reembedded(library: Library, fingerprint: string): Promise<Library> {
    const texts = textsOf(library);
    const passages = await this.#encoder.embed(texts.passages);
    const queries = await this.#encoder.embed(texts.queries, { kind: "query" });
    return { ...library, fingerprint, passageVectors: passages.vectors, queryVectors: queries.vectors };
  }

  /** Puts a document in the place of one that has its id; vectors that they share stay. */
  #put(entry: Entry): void {
    const old = this.#table.entry(entry.document.id);
    if (old) this.#table.remove(old);
    this.#enter(entry);
    for (const passage of entry.passages) this.#words.add(wordsOfPassage(passage));
    if (old) this.#forget(old);
  }

  #enter(entry: Entry): void {
    this.#table.add(entry);
    entry.embedded = entry.passages.filter(({ hash, readable }) => readable && this.#vectors?.has(hash)).length;
  }

  /** Drops the words of a document that was removed, and the vectors that no other shares. */
  #forget(entry: Entry): void {
    for (const { key, hash } of entry.passages) {
      this.#words.remove(key);
      if (this.#table.sharing(hash).size === 0) this.#vectors?.delete(hash);
    }
    this.#queue.remove(entry);
  }

  async #embed(batch: readonly Passage[]): Promise<void> {
    if (!this.#loaded) await this.load();
    const { vectors } = await this.#encoder.embed(batch.map(embeddedTextOf));
    // What was removed meanwhile needs its vector no more.
    for (const [i, { hash }] of batch.entries()) if (this.#table.sharing(hash).size > 0) this.#keepVector(hash, vectors[i]);
  }

  #keepVector(hash: string, vector: Float32Array | undefined): void {
    if (!vector) throw new EncoderError("internal", "There are fewer vectors than passages");
    this.#vectors ??= new VectorIndex(vector.length);
    if (!this.#vectors.has(hash)) for (const { entry, readable } of this.#table.sharing(hash)) if (readable) entry.embedded += 1;
    this.#vectors.set(hash, vector);
  }

  /** Null where words must do: there is no model yet, and the query will not wait for it. */
  async #vectorFor(query: string, wanted: string, mode: SearchMode, signal: AbortSignal | undefined): Promise<Float32Array | null> {
    const known = this.#examples.get(query) ?? this.#asked.get(wanted);
    if (known) return known;
    if (!this.#loaded && mode === "hybrid") {
      void this.load().catch(() => {});
      return null;
    }
    await this.load(signal && { signal });
    const { vectors } = await this.#encoder.embed(wanted, { kind: "query", ...(signal && { signal }) });
    const vector = vectors[0] as Float32Array; // one text, one vector
    this.#asked.set(wanted, vector);
    const [oldest] = this.#asked.keys();
    if (oldest !== undefined && this.#asked.size > keptQueries) this.#asked.delete(oldest);
    return vector;
  }

  /** The passages nearest to the query that are at all relevant, best first. */
  #byMeaning(vector: Float32Array, limit: number, accept: (passage: Passage) => boolean): Passage[] {
    const acceptHash = (hash: string) => {
      for (const passage of this.#table.sharing(hash)) if (accept(passage)) return true;
      return false;
    };
    const matches = this.#vectors?.search(vector, limit, { accept: acceptHash }) ?? [];
    const background = this.#background(vector);
    return matches
      .filter(({ score }) => relevanceOf(score, background) >= leastRelevance)
      .flatMap(({ key }) => [...this.#table.sharing(key)].filter(accept));
  }

  #nearness({ hash }: Passage, query: Float32Array | null): Nearness {
    const vector = query && this.#vectors?.get(hash);
    if (!(query && vector)) return { cosine: null, relevance: null };
    const cosine = dotProduct(query, vector);
    return { cosine, relevance: relevanceOf(cosine, this.#background(query)) };
  }

  #background(query: Float32Array): number {
    return this.#cohort ? dotProduct(query, this.#cohort) : usualBackground;
  }

  #textOf(key: number): string {
    const passage = this.#table.passage(key);
    return passage ? embeddedTextOf(passage) : "";
  }
}

const placeOf = ({ start, end }: Place): Place => ({ start, end });

function wellFormed({ id, title, kind, text }: Document): Document {
  return { id, title: title.toWellFormed(), kind, text: text.toWellFormed() };
}
