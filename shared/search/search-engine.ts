import { abortable } from "../async.ts";
import type { CallOptions, Encoder } from "../encoder/encoder.ts";
import { EncoderError } from "../errors.ts";
import type { Answer, PassageRelevance, Place, SearchOptions } from "./answer.ts";
import { type Coverage, coverageOf, EmbeddingQueue } from "./embedding-queue.ts";
import type { SearchMode } from "./fusion.ts";
import { readIndexFile, writeIndexFile } from "./index-file.ts";
import type { IndexKeeper, KeptDocument } from "./index-keeper.ts";
import { type Document, type Library, textsOf } from "./library.ts";
import { type CutDocument, cutDocument, type Entry, embeddedTextOf, entryOf, type Passage } from "./passages.ts";
import { parseQuery } from "./query.ts";
import { QueryVectors } from "./query-vectors.ts";
import { SearchIndex } from "./search-index.ts";
import { sentencesOf } from "./segments.ts";
import { dotProduct } from "./vector-index.ts";

export interface AddOptions extends CallOptions {
  /** Told as passages can be found by meaning. */
  readonly onProgress?: (progress: Coverage) => void;
}

/**
 * Searches documents by words and by meaning: a library that brings its vectors, and whatever is added. Words find a
 * document as soon as it was added; its passages are embedded in the background, what was added last before what came
 * earlier, and shorter documents first.
 */
export class SearchEngine {
  readonly #encoder: Pick<Encoder, "load" | "embed">;
  readonly #library: Library | null;
  readonly #keeper: IndexKeeper | null;
  readonly #index = new SearchIndex();
  readonly #queries = new QueryVectors();
  readonly #queue = new EmbeddingQueue(
    ({ hash, readable }) => readable && !this.#index.meanings.has(hash),
    (batch) => this.#embed(batch),
  );
  /** Resolves when the library can be searched. */
  readonly #opened: Promise<void>;
  /** Changes are made one after the other, in the order in which they were asked for: this is the last one. */
  #lastChange: Promise<unknown> = Promise.resolve();
  #ready: Promise<void> | null = null;
  #loaded = false;

  /** Loads nothing: that is for the first call that needs the model. The library's example queries do not. */
  constructor(encoder: Pick<Encoder, "load" | "embed">, library: Library | null = null, keeper: IndexKeeper | null = null) {
    this.#encoder = encoder;
    this.#library = library;
    this.#keeper = keeper;
    this.#opened = library ? this.#inOrder(() => this.#open(library)) : Promise.resolve();
    this.#opened.catch(() => {});
  }

  /** Passages that words can find. */
  get size(): number {
    return this.#index.size;
  }

  /** Of its vectors; 0 before the first. */
  get dimensions(): number {
    return this.#index.meanings.dimensions;
  }

  /** Of the model that its vectors are made with; null before there are any. */
  get fingerprint(): string | null {
    return this.#index.meanings.fingerprint;
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
   * Answers with what is there: `hybrid` does not wait for the model, but begins to load it, and `keyword` needs none.
   * `semantic` waits for it, unless the query is one of the library's examples. Rejects as `Encoder.embed` does.
   */
  async search(query: string, options: SearchOptions = {}): Promise<Answer> {
    const { mode = "hybrid", signal } = options;
    await this.#opened;
    signal?.throwIfAborted();
    const parsed = parseQuery(query);
    const start = performance.now();
    const vector = mode === "keyword" || parsed.wanted === "" ? null : await this.#vectorFor(query, parsed.wanted, mode, signal);
    const embedded = performance.now();
    return {
      query,
      results: this.#index.search(parsed, vector, options),
      mode: vector ? mode : "keyword",
      coverage: this.coverage(),
      embedTime: vector && !this.#queries.isExample(query) ? embedded - start : null,
      scanTime: performance.now() - embedded,
    };
  }

  /** How near the query is to each passage of a document: a heat map. Null when there is no such document. */
  async relevanceIn(id: string, query: string, { signal }: CallOptions = {}): Promise<PassageRelevance[] | null> {
    const vector = await this.#vectorFor(query, parseQuery(query).wanted, "semantic", signal);
    return this.#index.relevanceIn(id, vector);
  }

  /** The sentence of a passage that is closest to the query in meaning. Null when there is no such passage. */
  async closestSentence(id: string, start: number, query: string, { signal }: CallOptions = {}): Promise<Place | null> {
    const passage = this.#index.entry(id)?.passages.find(({ chunk }) => chunk.start === start);
    const vector = await this.#vectorFor(query, parseQuery(query).wanted, "semantic", signal);
    const all = passage ? sentencesOf(passage.chunk.text) : [];
    // A heading is near everything below it, and tells less.
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
   * Adds documents as {@link put} does, and resolves when all can be found by meaning that the model can read. When it
   * rejects after they were put (as `Encoder.embed` does, or with the signal's reason) words find them nonetheless, and the next
   * `load` or `add` goes on embedding them. Lone surrogates are replaced by U+FFFD.
   */
  async add(sources: Document | readonly Document[], { signal, onProgress }: AddOptions = {}): Promise<void> {
    const documents = [sources].flat();
    refuseBlank(documents);
    const entries = await this.#inOrder(async () => this.#put(await Promise.all(documents.map((document) => cutDocument(document)))));
    await this.#queue.embedded(entries, signal, onProgress);
  }

  /** The number of an addition whose documents may come in several calls of {@link put}. */
  newAddition(): number {
    return this.#queue.newAddition();
  }

  /**
   * Puts documents that were cut into passages into the search, each in the place of one that has its id; resolves when words
   * find them. They are embedded in the background as soon as the model is there, what was embedded before not again.
   * Documents of one `addition` are embedded shortest first, those of a later one before them. Rejects with `empty_input`
   * when there is no text in one: then nothing was changed.
   */
  async put(documents: readonly CutDocument[], { addition }: { readonly addition?: number } = {}): Promise<void> {
    refuseBlank(documents.map(({ document }) => document));
    await this.#inOrder(() => this.#put(documents, addition));
    this.#embedOnceLoaded();
  }

  /**
   * Takes documents in as they were kept, and does not tell the keeper. Vectors of another model than the others' do not count:
   * those passages are embedded anew in the background, as soon as the model is there.
   */
  async restore(documents: readonly KeptDocument[], fingerprint: string | null): Promise<void> {
    await this.#inOrder(async () => {
      const entries = documents.map((document) => entryOf(document));
      await this.#index.put(entries);
      const withVectors = this.#takesVectorsOf(fingerprint);
      for (const [i, { passages }] of entries.entries()) {
        for (const [j, { hash }] of passages.entries()) {
          const vector = documents[i]?.vectors[j];
          if (vector && withVectors) this.#index.keepVector(hash, vector);
        }
      }
      this.#queue.add(entries);
    });
    this.#embedOnceLoaded();
  }

  /** Forgets documents, and what of them is still to be embedded. */
  remove(ids: string | readonly string[]): Promise<void> {
    return this.#inOrder(async () => {
      const entries = [ids].flat().flatMap((id) => this.#index.entry(id) ?? []);
      this.#queue.remove(entries);
      await this.#index.remove(entries);
      await this.#keeper?.removeDocuments(entries.map(({ document }) => document.id));
    });
  }

  /** All documents, the library's among them. */
  documents(): Document[] {
    return this.#index.entries().map(({ document }) => document);
  }

  /** The documents that were added, with their passages. */
  entries(): readonly Entry[] {
    return this.#index.entries().filter(({ builtIn }) => !builtIn);
  }

  document(id: string): Document | null {
    return this.#index.entry(id)?.document ?? null;
  }

  /** Of one document, or of all that were added. What the model cannot read does not count. */
  coverage(id?: string): Coverage {
    return coverageOf(id === undefined ? this.entries() : [this.#index.entry(id)].filter((entry) => entry !== null));
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
    if (!this.fingerprint) await this.load();
    return this.#inOrder(() => writeIndexFile(this.#index.contents(this.fingerprint ?? "")));
  }

  /**
   * Adds the documents of an index file, each in the place of one that has its id. What has no vector in it is embedded.
   * Rejects as `readIndexFile` does and changes nothing when the file is not a good one; with `other_model` when its
   * vectors are another model's, unless they are to be made again (`reembed`). Resolves to the fingerprint of that model.
   */
  async importIndex(file: Uint8Array<ArrayBuffer>, { reembed = false } = {}): Promise<string> {
    const fingerprint = await this.#inOrder(async () => {
      const contents = await readIndexFile(file);
      const withVectors = this.#takesVectorsOf(contents.fingerprint);
      if (!(withVectors || reembed)) {
        throw new EncoderError("other_model", "The index file was made with another model: its texts must be embedded anew");
      }
      const entries = await this.#index.takeIn(contents, withVectors);
      this.#queue.add(entries);
      await this.#keeper?.putDocuments(entries, this.#vectorOf, this.fingerprint);
      return contents.fingerprint;
    });
    this.#embedOnceLoaded();
    return fingerprint;
  }

  async #open(library: Library): Promise<void> {
    const documents = await Promise.all(library.documents.map((document) => cutDocument(document)));
    const entries = documents.map((document) => entryOf(document, { builtIn: true }));
    await this.#index.put(entries);
    this.#useLibrary(library);
  }

  /** Takes the vectors of a library: its documents are there. */
  #useLibrary({ documents, fingerprint, examples, passageVectors, queryVectors }: Library): void {
    const vectors = passageVectors.values();
    for (const { id } of documents) {
      for (const { hash } of this.#index.entry(id)?.passages ?? []) {
        const { value } = vectors.next();
        if (value) this.#index.keepVector(hash, value);
      }
    }
    this.#index.meanings.fingerprint = fingerprint;
    this.#index.meanings.judgeAgainst(passageVectors);
    this.#queries.useExamples(new Map(queryVectors.map((vector, i) => [examples[i]?.query ?? "", vector])));
  }

  async #load(): Promise<void> {
    const { fingerprint } = await this.#encoder.load();
    await this.#opened;
    if (fingerprint !== this.fingerprint) {
      const library = this.#library && (await this.#reembedded(this.#library, fingerprint));
      this.#index.meanings.clear();
      this.#index.meanings.fingerprint = fingerprint;
      this.#queries.clear();
      if (library) this.#useLibrary(library);
      this.#queue.add(this.#index.entries());
    }
    this.#loaded = true;
    void this.#queue.run();
  }

  async #reembedded(library: Library, fingerprint: string): Promise<Library> {
    const texts = textsOf(library);
    const passages = await this.#encoder.embed(texts.passages);
    const queries = await this.#encoder.embed(texts.queries, { inputType: "query" });
    return { ...library, fingerprint, passageVectors: passages.vectors, queryVectors: queries.vectors };
  }

  async #put(documents: readonly CutDocument[], addition?: number): Promise<Entry[]> {
    const entries = documents.map((document) => entryOf(document));
    this.#queue.remove(await this.#index.put(entries));
    this.#queue.add(entries, addition);
    await this.#keeper?.putDocuments(entries, this.#vectorOf, this.fingerprint);
    return entries;
  }

  async #embed(batch: readonly Passage[]): Promise<void> {
    if (!this.#loaded) await this.load();
    const { vectors } = await this.#encoder.embed(batch.map(embeddedTextOf));
    for (const [i, { hash }] of batch.entries()) this.#index.keepVector(hash, vectors[i] as Float32Array); // one for each text
    await this.#keeper?.putVectors(
      batch.flatMap(({ hash }) => [...this.#index.sharing(hash)]),
      this.#vectorOf,
      this.fingerprint,
    );
  }

  readonly #vectorOf = (hash: string): Float32Array | null => this.#index.meanings.get(hash);

  /** Whether vectors of this model can stand beside those that are here. The first ones decide. */
  #takesVectorsOf(fingerprint: string | null): boolean {
    if (fingerprint !== null) this.#index.meanings.fingerprint ??= fingerprint;
    return this.fingerprint === fingerprint;
  }

  /** Null where words must do: there is no model yet, and the query will not wait for it. */
  async #vectorFor(query: string, wanted: string, mode: SearchMode, signal: AbortSignal | undefined): Promise<Float32Array | null> {
    const known = this.#queries.get(query, wanted);
    if (known) return known;
    if (!this.#loaded && mode === "hybrid") {
      void this.load().catch(() => {});
      return null;
    }
    await this.load(signal && { signal });
    const { vectors } = await this.#encoder.embed(wanted, { inputType: "query", ...(signal && { signal }) });
    const vector = vectors[0] as Float32Array; // one text, one vector
    this.#queries.keep(wanted, vector);
    return vector;
  }

  #embedOnceLoaded(): void {
    if (this.#loaded) void this.#queue.run();
  }

  /** Runs a change behind those before it, whether they succeeded or not. */
  #inOrder<T>(change: () => T | Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change, change);
    this.#lastChange = changed.catch(() => {});
    return changed;
  }
}

function refuseBlank(documents: readonly Document[]): void {
  if (documents.some(({ text }) => text.trim() === "")) throw new EncoderError("empty_input", "There is no text in it");
}
