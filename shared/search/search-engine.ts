import { abortable, type CallOptions, type Encoder } from "../encoder/encoder.ts";
import { EncoderError } from "../errors.ts";
import type { Chunk } from "./chunk.ts";
import { type Document, embeddedText, type Library, passagesOf, textsOf } from "./library.ts";
import { centroidOf, leastRelevance, relevanceOf } from "./relevance.ts";
import { dotProduct, VectorIndex } from "./vector-index.ts";

export interface SearchOptions extends CallOptions {
  /** The most results. Default 8. */
  readonly limit?: number;
}

export interface SearchResult {
  readonly document: Omit<Document, "text"> & {
    /** UTF-16 code units of its text. */
    readonly length: number;
  };
  readonly passage: Chunk;
  /** Cosine between query and passage. */
  readonly cosine: number;
  /** 0 to 1: see `relevanceOf`. */
  readonly relevance: number;
}

export interface Answer {
  readonly query: string;
  /** Best first; only what is at all relevant. */
  readonly results: readonly SearchResult[];
  /** ms for the query's vector; null when it came with the library. */
  readonly embedTime: number | null;
  /** ms for comparing it with all passages. */
  readonly scanTime: number;
}

export interface AddOptions extends CallOptions {
  /** Told as passages become searchable. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** A key of the index. */
interface Passage {
  readonly document: Document;
  readonly chunk: Chunk;
}

/** What the vectors of a library give. */
interface Indexed {
  readonly fingerprint: string;
  readonly index: VectorIndex<Passage>;
  /** The centroid of the library's passages. */
  readonly cohort: Float32Array;
  /** By example query. */
  readonly queryVectors: ReadonlyMap<string, Float32Array>;
}

/** Passages embedded in one call: enough to keep a few workers busy, few enough that a new text is soon searchable. */
const passagesPerCall = 16;

/** Searches documents by meaning: a library that brings its vectors, and whatever is added. */
export class SearchEngine {
  readonly #encoder: Encoder;
  readonly #library: Library;
  readonly #documents = new Map<string, Document>();
  #indexed: Indexed;
  #ready: Promise<void> | null = null;

  /** Loads nothing: that is for the first call that needs the model. The library's example queries do not. */
  constructor(encoder: Encoder, library: Library) {
    this.#encoder = encoder;
    this.#library = library;
    for (const document of library.documents) this.#documents.set(document.id, document);
    this.#indexed = indexLibrary(library);
  }

  /** Passages that can be found. */
  get size(): number {
    return this.#indexed.index.size;
  }

  /**
   * Loads the model. When it is not the one that the library was made with, the library is embedded anew, and answers
   * from its old vectors until that is done. Rejects as `Encoder.load` does; a failure is forgotten.
   */
  load({ signal }: CallOptions = {}): Promise<void> {
    this.#ready ??= this.#load().catch((error) => {
      this.#ready = null;
      throw error;
    });
    return abortable(this.#ready, signal);
  }

  /** Waits for the model, unless the query is one of the library's examples. Rejects as `Encoder.embed` does. */
  async search(query: string, { limit = 8, signal }: SearchOptions = {}): Promise<Answer> {
    const known = this.#indexed.queryVectors.get(query);
    if (!known) await this.load(signal && { signal });
    const start = performance.now();
    const vector = known ?? (await this.#embedQuery(query, signal));
    const embedded = performance.now();
    const { index, cohort } = this.#indexed;
    const background = dotProduct(vector, cohort);
    const matches = index.search(vector, limit);
    const scanTime = performance.now() - embedded;

    const results = matches.map(({ key: { document, chunk }, score }) => ({
      document: { id: document.id, title: document.title, kind: document.kind, length: document.text.length },
      passage: chunk,
      cosine: score,
      relevance: relevanceOf(score, background),
    }));
    return {
      query,
      results: results.filter(({ relevance }) => relevance >= leastRelevance),
      embedTime: known ? null : embedded - start,
      scanTime,
    };
  }

  /**
   * Adds a document; its passages can be found as their vectors arrive. Lone surrogates are replaced by U+FFFD. When
   * this rejects (as `Encoder.embed` does, or with `empty_input`), nothing of the document stays.
   */
  async add(source: Document, { signal, onProgress }: AddOptions = {}): Promise<void> {
    const document = { ...source, title: source.title.toWellFormed(), text: source.text.toWellFormed() };
    const passages = passagesIn(document);
    if (passages.length === 0) throw new EncoderError("empty_input", "There is no text in it");
    if (this.#documents.has(document.id)) throw new RangeError(`SearchEngine: there is a document ${document.id} already`);
    this.#documents.set(document.id, document);
    try {
      await this.load(signal && { signal });
      for (let done = 0; done < passages.length; ) {
        const batch = passages.slice(done, done + passagesPerCall);
        const { vectors } = await this.#encoder.embed(batch.map(textOf), signal && { signal });
        addAll(this.#indexed.index, batch, vectors);
        done += batch.length;
        onProgress?.({ done, total: passages.length });
      }
    } catch (error) {
      this.remove(document.id);
      throw error;
    }
  }

  /** Forgets a document that was added. One that is still being added must be stopped by its signal first. */
  remove(id: string): void {
    const document = this.#documents.get(id);
    if (!document) return;
    this.#documents.delete(id);
    const { index } = this.#indexed;
    for (const passage of [...index.keys()]) if (passage.document === document) index.delete(passage);
  }

  document(id: string): Document | null {
    return this.#documents.get(id) ?? null;
  }

  async #load(): Promise<void> {
    const { fingerprint } = await this.#encoder.load();
    if (fingerprint === this.#indexed.fingerprint) return;
    const texts = textsOf(this.#library);
    const passages = await this.#encoder.embed(texts.passages);
    const queries = await this.#encoder.embed(texts.queries, { kind: "query" });
    this.#indexed = indexLibrary({ ...this.#library, fingerprint, passageVectors: passages.vectors, queryVectors: queries.vectors });
  }

  async #embedQuery(query: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    const { vectors } = await this.#encoder.embed(query.toWellFormed(), { kind: "query", ...(signal && { signal }) });
    return vectors[0] as Float32Array; // one text, one vector
  }
}

function indexLibrary({ fingerprint, documents, examples, passageVectors, queryVectors }: Library): Indexed {
  const passages = documents.flatMap(passagesIn);
  const index = new VectorIndex<Passage>(passageVectors[0]?.length ?? 1, passages.length);
  addAll(index, passages, passageVectors);
  return {
    fingerprint,
    index,
    cohort: centroidOf(passageVectors),
    queryVectors: new Map(queryVectors.map((vector, i) => [examples[i]?.query ?? "", vector])),
  };
}

function passagesIn(document: Document): Passage[] {
  return passagesOf(document).map((chunk) => ({ document, chunk }));
}

const textOf = ({ document, chunk }: Passage) => embeddedText(document, chunk);

function addAll(index: VectorIndex<Passage>, passages: readonly Passage[], vectors: readonly Float32Array[]): void {
  for (const [i, passage] of passages.entries()) {
    const vector = vectors[i];
    if (!vector) throw new EncoderError("internal", "There are fewer vectors than passages");
    index.set(passage, vector);
  }
}
