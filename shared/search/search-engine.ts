import { abortable, nextTurn } from "../async.ts";
import type { CallOptions, Encoder, Model, RelevanceCalibration } from "../encoder/encoder.ts";
import { EncoderError } from "../errors.ts";
import type { SearchMode } from "../index/fusion.ts";
import type { Hit } from "../index/hit.ts";
import { writeIndexFile } from "../index/index-file.ts";
import { parseQuery, type Query } from "../index/query.ts";
import { centroidOf, type RelevanceOf, relevanceCurve } from "../index/relevance.ts";
import { SearchIndex } from "../index/search-index.ts";
import { type Place, sentencesOf } from "../index/spans.ts";
import type { ScanCodes, VectorCode } from "../index/vector-codes.ts";
import { dotProduct } from "../vector.ts";
import { type Answer, indexFilterOf, type PassageRelevance, type SearchOptions } from "./answer.ts";
import { type Coverage, coverageOf, EmbeddingQueue } from "./embedding-queue.ts";
import type { IndexStore, IndexVectors, StoredDocument } from "./index-store.ts";
import { type Document, type Library, textsOf } from "./library.ts";
import { openIndexFile } from "./open-index-file.ts";
import {
  type ChunkedDocument,
  chunkDocument,
  type Entry,
  embeddedTextOf,
  entriesOf,
  entryOf,
  indexDocumentOf,
  type Passage,
  PassageTable,
} from "./passages.ts";
import { QueryVectors } from "./query-vectors.ts";

export interface AddOptions extends CallOptions {
  /** Called as passages are embedded. */
  readonly onProgress?: (progress: Coverage) => void;
}

/**
 * Keyword and semantic search over documents: a library with precomputed vectors, and added documents. A document is searchable by
 * keyword as soon as it is added; its passages are embedded in the background, the last addition first and shorter documents first.
 */
export class SearchEngine {
  readonly #encoder: Pick<Encoder, "load" | "embed">;
  readonly #library: Library | null;
  readonly #store: IndexStore | null;
  readonly #index: SearchIndex;
  readonly #table = new PassageTable();
  readonly #queries = new QueryVectors();
  readonly #queue = new EmbeddingQueue(
    ({ readable, embedded }) => readable && !embedded,
    (batch) => this.#embed(batch),
  );
  /** Resolves when the library is searchable. */
  readonly #opened: Promise<void>;
  /** The last change: changes run one after the other, in the order of their calls. */
  #lastChange: Promise<unknown> = Promise.resolve();
  #ready: Promise<void> | null = null;
  /** Of the model that makes the vectors; null until it is known. */
  #fingerprint: string | null = null;
  /** Of the model that makes the vectors; null until it is known, and for models without one. */
  #calibration: RelevanceCalibration | null = null;
  /** The centroid of unrelated passages: see relevance.ts. */
  #cohort: Float32Array | null = null;
  /** Dimensions of the loaded model; null before. */
  #modelDimensions: number | null = null;

  /**
   * Loads no model: the first call that needs it does. The library's example queries need none.
   * @param scan compares vector codes. Default: in JavaScript
   */
  constructor(
    encoder: Pick<Encoder, "load" | "embed">,
    library: Library | null = null,
    store: IndexStore | null = null,
    scan?: ScanCodes | undefined,
  ) {
    this.#encoder = encoder;
    this.#index = new SearchIndex({ pause: yieldRegularly(), ...(scan && { scan }) });
    this.#library = library;
    this.#store = store;
    this.#opened = library ? this.#serialized(() => this.#open(library)) : Promise.resolve();
    this.#opened.catch(() => {});
  }

  /** The number of passages. */
  get size(): number {
    return this.#index.size;
  }

  /** Dimensions of the vectors; 0 before the first. */
  get dimensions(): number {
    return this.#index.geometry?.dimensions ?? 0;
  }

  /** Of the model that makes the vectors; null before the first. */
  get fingerprint(): string | null {
    return this.#fingerprint;
  }

  /**
   * Loads the model, and resumes embedding. When another model made the vectors, everything is embedded again, the library before
   * this resolves. Rejects as `Encoder.load` does; the next call then tries again.
   */
  load({ signal }: CallOptions = {}): Promise<void> {
    this.#ready ??= this.#load().catch((error) => {
      this.#ready = null;
      throw error;
    });
    return abortable(this.#ready, signal);
  }

  /**
   * Searches the documents. `hybrid` does not wait for the model: it starts loading it and falls back to `keyword`. `semantic` waits,
   * except for the library's example queries. Rejects as `Encoder.embed` does.
   */
  async search(query: string, options: SearchOptions = {}): Promise<Answer> {
    const { mode = "hybrid", signal } = options;
    await this.#opened;
    signal?.throwIfAborted();
    const parsed = parseQuery(query);
    const start = performance.now();
    const needsVector = mode !== "keyword" && parsed.text !== "";
    const { vector = needsVector ? await this.#vectorFor(query, parsed.text, mode, signal) : null } = options;
    const embedded = performance.now();
    return {
      query,
      hits: this.#find(parsed, vector, options),
      mode: vector ? mode : "keyword",
      coverage: this.coverage(),
      embedTime: vector && !options.vector && !this.#queries.isExample(query) ? embedded - start : null,
      scanTime: performance.now() - embedded,
    };
  }

  /** The relevance of each passage of a document: a heat map. Null for an unknown document. */
  async relevanceIn(id: string, query: string, { signal }: CallOptions = {}): Promise<PassageRelevance[] | null> {
    const vector = await this.#vectorFor(query, parseQuery(query).text, "semantic", signal);
    const passages = this.#table.entry(id)?.passages;
    const cosines = vector && this.#index.cosinesIn(id, vector);
    if (!passages) return null;
    const relevanceOf = vector && this.#relevanceFor(vector, this.#calibration);
    return passages.map(({ chunk: { start, end } }, i) => {
      const cosine = cosines?.[i] ?? null;
      return { start, end, relevance: relevanceOf && cosine !== null ? relevanceOf(cosine) : null };
    });
  }

  /** The sentence of a passage that is most similar to the query. Null for an unknown passage. */
  async closestSentence(id: string, start: number, query: string, { signal }: CallOptions = {}): Promise<Place | null> {
    const passage = this.#table.entry(id)?.passages.find(({ chunk }) => chunk.start === start);
    const vector = await this.#vectorFor(query, parseQuery(query).text, "semantic", signal);
    const all = passage ? sentencesOf(passage.chunk.text) : [];
    // A heading is similar to everything below it, and says less.
    const prose = all.filter(({ text }) => !/^#{1,6}\s/.test(text));
    const sentences = prose.length > 0 ? prose : all;
    const { vectors } = await this.#encoder.embed(
      sentences.map(({ text }) => text),
      signal && { signal },
    );
    const scores = vectors.map((sentence) => (vector ? dotProduct(vector, sentence) : 0));
    const best = sentences[scores.indexOf(Math.max(...scores))];
    return best ? { start: start + best.start, end: start + best.end } : null;
  }

  /**
   * Adds documents as {@link put} does, and resolves when their readable passages are embedded. A rejection of the embedding (as
   * `Encoder.embed`, or with the signal's reason) leaves the documents searchable by keyword; the next `load` or `add` continues.
   * Lone surrogates are replaced by U+FFFD.
   */
  async add(sources: Document | readonly Document[], { signal, onProgress }: AddOptions = {}): Promise<void> {
    const documents = [sources].flat();
    assertNotBlank(documents);
    const entries = await this.#serialized(async () => this.#put(await Promise.all(documents.map((document) => chunkDocument(document)))));
    await this.#queue.embedded(entries, signal, onProgress);
  }

  /** A number for several calls of {@link put} that belong to one addition. */
  newAddition(): number {
    return this.#queue.newAddition();
  }

  /**
   * Adds chunked documents; a document replaces the one with the same id. Resolves when they are searchable by keyword. New passages
   * are embedded in the background once the model is loaded: a later `addition` first, and within one the shortest documents first.
   * Rejects with `empty_input` when a document has no text; then nothing changes.
   */
  async put(documents: readonly ChunkedDocument[], { addition }: { readonly addition?: number } = {}): Promise<void> {
    assertNotBlank(documents.map(({ document }) => document));
    await this.#serialized(() => this.#put(documents, addition));
    this.#embedOnceLoaded();
  }

  /**
   * Adds documents from the store, without storing them again. Vectors of another model are ignored: those passages are embedded
   * again in the background once the model is loaded.
   */
  async restore(documents: readonly StoredDocument[], fingerprint: string | null): Promise<void> {
    await this.#serialized(async () => {
      const entries = documents.map((document) => entryOf(document));
      const withVectors = this.#acceptsVectorsOf(fingerprint);
      const dimensions = documents.find((document) => document.dimensions !== null)?.dimensions ?? null;
      const codes = new Map<string, VectorCode>();
      if (withVectors && dimensions !== null) {
        this.#index.expectDimensions(dimensions);
        for (const [i, { passages }] of entries.entries()) {
          for (const [j, { hash }] of passages.entries()) {
            const code = documents[i]?.dimensions === this.dimensions ? documents[i]?.codes[j] : null;
            if (code) codes.set(hash, code);
          }
        }
      }
      await this.#putEntries(entries, codes);
      this.#queue.add(entries);
    });
    this.#embedOnceLoaded();
  }

  /** Removes documents. */
  remove(ids: string | readonly string[]): Promise<void> {
    return this.#serialized(async () => {
      const entries = [ids].flat().flatMap((id) => this.#table.entry(id) ?? []);
      this.#queue.remove(entries);
      this.#index.remove(entries.map(({ document }) => document.id));
      for (const entry of entries) this.#table.remove(entry);
      await this.#store?.removeDocuments(entries.map(({ document }) => document.id));
    });
  }

  /** All documents, with the library's. */
  documents(): Document[] {
    return this.#table.entries().map(({ document }) => document);
  }

  /** The added documents, without the library's. */
  entries(): readonly Entry[] {
    return this.#table.entries().filter(({ builtIn }) => !builtIn);
  }

  document(id: string): Document | null {
    return this.#table.entry(id)?.document ?? null;
  }

  /** The coverage of one document, or of all added ones. */
  coverage(id?: string): Coverage {
    return coverageOf(id === undefined ? this.entries() : [this.#table.entry(id)].filter((entry) => entry !== null));
  }

  /** Stops embedding after the current batch, until {@link resume}. */
  pause(): void {
    this.#queue.pause();
  }

  resume(): void {
    this.#queue.resume();
  }

  /** The added documents as an index file: the same documents and vectors give the same bytes. */
  async exportIndex(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#opened;
    if (!this.fingerprint) await this.load();
    return this.#serialized(async () => {
      const segment = await this.#index.snapshot((id) => this.#table.entry(id)?.builtIn === false);
      const { geometry } = this.#index;
      return writeIndexFile({ fingerprint: this.fingerprint ?? "", geometry, segments: segment.documents > 0 ? [segment] : [] });
    });
  }

  /**
   * Adds the documents of an index file; a document replaces the one with the same id. Passages without a vector are embedded.
   * Rejects as `readIndexFile` does, and with `other_model` when another model made its vectors, unless `reembed` is set. A rejection
   * changes nothing. Resolves to the fingerprint of the file's model.
   */
  async importIndex(file: Uint8Array<ArrayBuffer>, { reembed = false } = {}): Promise<string> {
    const fingerprint = await this.#serialized(async () => {
      const contents = await openIndexFile(file);
      const withVectors = this.#acceptsVectorsOf(contents.fingerprint);
      if (!(withVectors || reembed)) {
        throw new EncoderError("other_model", "Another model made this index file: its texts must be embedded again");
      }
      const dimensions = this.#modelDimensions ?? (this.dimensions || contents.geometry?.dimensions);
      if (withVectors && contents.geometry && contents.geometry.dimensions !== dimensions) {
        throw new EncoderError("invalid_index", `The index file is not valid: its vectors do not have ${dimensions} dimensions`);
      }
      const entries: Entry[] = [];
      // All texts are read before the first change: one that cannot be decompressed rejects here.
      const imported = contents.segments.map((segment) => ({ segment, ofSegment: [...entriesOf(segment)] }));
      for (const { segment, ofSegment } of imported) {
        if (!withVectors) segment.resetCodes(null);
        this.#queue.remove(ofSegment.flatMap(({ document }) => this.#table.entry(document.id) ?? []));
        await this.#index.add(segment);
        // Codes of another geometry were dropped.
        for (const [i, passage] of ofSegment.flatMap(({ passages }) => passages).entries()) passage.embedded = segment.hasCode(i);
        this.#addToTable(ofSegment);
        entries.push(...ofSegment);
      }
      this.#queue.add(entries);
      await this.#store?.putDocuments(entries, this.#vectors);
      return contents.fingerprint;
    });
    this.#embedOnceLoaded();
    return fingerprint;
  }

  async #open(library: Library): Promise<void> {
    const documents = await Promise.all(library.documents.map((document) => chunkDocument(document)));
    await this.#putEntries(documents.map((document) => entryOf(document, { builtIn: true })));
    this.#useLibrary(library);
  }

  /** Sets the vectors of a library whose documents are indexed. */
  #useLibrary({ documents, fingerprint, relevance, examples, passageVectors, queryVectors }: Library): void {
    const vectors = passageVectors.values();
    for (const { id } of documents) {
      for (const { hash } of this.#table.entry(id)?.passages ?? []) {
        const { value } = vectors.next();
        if (value) this.#setVector(hash, value);
      }
    }
    this.#fingerprint = fingerprint;
    this.#calibration = relevance;
    this.#cohort = centroidOf(passageVectors);
    this.#queries.useExamples(new Map(queryVectors.map((vector, i) => [examples[i]?.query ?? "", vector])));
  }

  async #load(): Promise<void> {
    const model = await this.#encoder.load();
    const { fingerprint, dimensions, relevance = null } = model;
    await this.#opened;
    if (fingerprint !== this.fingerprint) {
      const library = this.#library && (await this.#reembedded(this.#library, model));
      this.#index.clearVectors();
      this.#table.clearEmbedded();
      this.#cohort = null;
      this.#fingerprint = fingerprint;
      this.#queries.clear();
      if (library) this.#useLibrary(library);
      this.#queue.add(this.#table.entries());
    }
    this.#calibration = relevance;
    this.#modelDimensions = dimensions;
    void this.#queue.run();
  }

  async #reembedded(library: Library, model: Model): Promise<Library> {
    const texts = textsOf(library);
    const passages = await this.#encoder.embed(texts.passages);
    const queries = await this.#encoder.embed(texts.queries, { inputType: "query" });
    const { fingerprint, relevance = null } = model;
    return { ...library, fingerprint, relevance, passageVectors: passages.vectors, queryVectors: queries.vectors };
  }

  async #put(documents: readonly ChunkedDocument[], addition?: number): Promise<Entry[]> {
    const entries = documents.map((document) => entryOf(document));
    this.#queue.remove(await this.#putEntries(entries));
    this.#queue.add(entries, addition);
    await this.#store?.putDocuments(entries, this.#vectors);
    return entries;
  }

  /** Adds entries to the index; an entry replaces the one with the same id. Returns the replaced ones. */
  async #putEntries(entries: readonly Entry[], codes: ReadonlyMap<string, VectorCode> = noCodes): Promise<Entry[]> {
    await this.#index.put(entries.map((entry) => indexDocumentOf(entry, (hash) => codes.get(hash) ?? null)));
    for (const { passages } of entries) for (const passage of passages) passage.embedded = this.#index.codeOf(passage.hash) !== null;
    return this.#addToTable(entries);
  }

  /** Adds entries that are in the index. Returns the replaced ones. */
  #addToTable(entries: readonly Entry[]): Entry[] {
    const replaced: Entry[] = [];
    for (const entry of entries) {
      const old = this.#table.entry(entry.document.id);
      if (old) {
        this.#table.remove(old);
        replaced.push(old);
      }
      this.#table.add(entry);
    }
    return replaced;
  }

  #find(query: Query, vector: Float32Array | null, options: SearchOptions): Hit[] {
    const { limit = 8, mode = "hybrid", filter = {}, calibration = this.#calibration } = options;
    const relevanceOf = vector && this.#relevanceFor(vector, calibration);
    return this.#index.search(query, vector, {
      ...{ limit, mode: vector ? mode : "keyword" },
      ...indexFilterOf(filter),
      ...(relevanceOf && { relevanceOf }),
    });
  }

  #relevanceFor(vector: Float32Array, calibration: RelevanceCalibration | null): RelevanceOf | null {
    return calibration && relevanceCurve(calibration, this.#cohort ? dotProduct(vector, this.#cohort) : calibration.background);
  }

  #setVector(hash: string, vector: Float32Array): void {
    this.#index.setVector(hash, vector);
    this.#table.setEmbedded(hash);
  }

  async #embed(batch: readonly Passage[]): Promise<void> {
    if (!this.#isLoaded) await this.load();
    const { vectors } = await this.#encoder.embed(batch.map(embeddedTextOf));
    for (const [i, { hash }] of batch.entries()) this.#setVector(hash, vectors[i] as Float32Array); // one for each text
    await this.#store?.putVectors(
      batch.flatMap(({ hash }) => [...this.#table.passagesByHash(hash)]),
      this.#vectors,
    );
  }

  get #vectors(): IndexVectors {
    return { fingerprint: this.#fingerprint, dimensions: this.dimensions, codeOf: this.#codeOf };
  }

  readonly #codeOf = (hash: string): VectorCode | null => this.#index.codeOf(hash);

  /** Whether vectors of this model can be added. The first ones decide. */
  #acceptsVectorsOf(fingerprint: string | null): boolean {
    if (fingerprint !== null) this.#fingerprint ??= fingerprint;
    return this.fingerprint === fingerprint;
  }

  /** Null when the model is not loaded and the mode does not wait for it. */
  async #vectorFor(query: string, text: string, mode: SearchMode, signal: AbortSignal | undefined): Promise<Float32Array | null> {
    const known = this.#queries.get(query, text);
    if (known) return known;
    if (!this.#isLoaded && mode === "hybrid") {
      void this.load().catch(() => {});
      return null;
    }
    await this.load(signal && { signal });
    const { vectors } = await this.#encoder.embed(text, { inputType: "query", ...(signal && { signal }) });
    const vector = vectors[0] as Float32Array; // one text, one vector
    this.#queries.add(text, vector);
    return vector;
  }

  get #isLoaded(): boolean {
    return this.#modelDimensions !== null;
  }

  #embedOnceLoaded(): void {
    if (this.#isLoaded) void this.#queue.run();
  }

  /** Runs a change after all earlier ones, whether they succeed or not. */
  #serialized<T>(change: () => T | Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change, change);
    this.#lastChange = changed.catch(() => {});
    return changed;
  }
}

function assertNotBlank(documents: readonly Document[]): void {
  if (documents.some(({ text }) => text.trim() === "")) throw new EncoderError("empty_input", "The document has no text");
}

const noCodes: ReadonlyMap<string, VectorCode> = new Map();

/** ms of indexing after which other tasks run. */
const maxTaskTime = 12;

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
