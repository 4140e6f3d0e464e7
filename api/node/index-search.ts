import { abortable, Mutex, withTimeout } from "../../shared/async.ts";
import type { SearchRequest, SearchResponse } from "../../shared/contract.ts";
import type { CallOptions, Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { parseQuery } from "../../shared/index/query.ts";
import type { DocumentSearch } from "../document-search.ts";
import { IndexThread } from "./index-thread.ts";
import type { OpenedIndex } from "./index-worker.ts";

export interface IndexSearchOptions {
  /** Path of the index file. */
  readonly path: string;
  readonly encoder: Pick<Encoder, "load" | "embed">;
  /** ms for one search in the worker thread, and ms to wait until the index is loaded. Default 20,000. */
  readonly timeout?: number;
  /** ms for loading the index file. Default 120,000. */
  readonly loadTimeout?: number;
  /** Maximum running and queued searches. Default 64. */
  readonly maxSearches?: number;
  /** Entry module of the worker thread. */
  readonly worker?: URL;
}

/** ms after a failed load in which searches reject with the same error, without another attempt. */
const retryInterval = 1_000;

/** s after which a rejected caller should retry. */
const retryAfter = 1;

interface LoadedIndex extends OpenedIndex {
  readonly thread: IndexThread;
}

/**
 * Searches an index file in a worker thread, one search at a time. The first call loads the file; later calls retry a failed load. A
 * thread that dies or times out is replaced. The main thread's encoder embeds the queries.
 */
export class IndexSearch implements DocumentSearch {
  readonly #options: Required<IndexSearchOptions>;
  #index: Promise<LoadedIndex> | null = null;
  #thread: IndexThread | null = null;
  #lastFailure = { error: null as EncoderError | null, time: Number.NEGATIVE_INFINITY };
  readonly #running = new Mutex();
  #searches = 0;
  #closed = false;

  constructor(options: IndexSearchOptions) {
    const worker = new URL("./index-worker.js", import.meta.url);
    this.#options = { timeout: 20_000, loadTimeout: 120_000, maxSearches: 64, worker, ...options };
  }

  /** Loads the index. Rejects with `index_unavailable`; later calls retry. */
  async load(): Promise<void> {
    await this.#load();
  }

  async search(request: SearchRequest, { signal }: CallOptions = {}): Promise<SearchResponse> {
    signal?.throwIfAborted();
    const { maxSearches } = this.#options;
    if (this.#searches >= maxSearches) {
      throw new EncoderError("overloaded", `The service is busy: ${maxSearches} searches are pending. Retry in ${retryAfter} s`, {
        limit: maxSearches,
        retryAfter,
      });
    }
    this.#searches += 1;
    try {
      return await abortable(this.#search(request, signal), signal);
    } finally {
      this.#searches -= 1;
    }
  }

  /** Terminates the thread. Running and queued searches reject with `disposed`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate(new EncoderError("disposed", "The service is shutting down"));
  }

  async #search(request: SearchRequest, signal: AbortSignal | undefined): Promise<SearchResponse> {
    const deadline = performance.now() + this.#options.timeout;
    const query = await this.#embed(request, signal);
    return this.#running.run(async () => {
      signal?.throwIfAborted();
      const { thread, fingerprint, dimensions } = await this.#loadBefore(deadline);
      signal?.throwIfAborted();
      if (query && query.fingerprint !== fingerprint) {
        throw new EncoderError("index_unavailable", "The index file was created with another model. Index the documents again");
      }
      if (query && dimensions > 0 && query.vector.length !== dimensions) {
        throw new EncoderError("index_unavailable", "The index file is invalid: the dimensions of its vectors differ from the model's");
      }
      try {
        return await thread.call(({ search }) => search(request, query), this.#options.timeout);
      } catch (error) {
        const reason = EncoderError.from(error);
        if (reason.code === "timeout") {
          void thread.terminate(reason);
          this.#replace(thread);
        }
        throw reason;
      }
    });
  }

  /** Embeds the query; null for keyword search. */
  async #embed({ query, mode }: SearchRequest, signal: AbortSignal | undefined) {
    const { text } = parseQuery(query);
    if (mode === "keyword" || text === "") return null;
    const { encoder } = this.#options;
    const { fingerprint, relevance = null } = await encoder.load(signal && { signal });
    const { vectors } = await encoder.embed(text, { inputType: "query", ...(signal && { signal }) });
    return { fingerprint, calibration: relevance, vector: vectors[0] as Float32Array }; // one text, one vector
  }

  async #loadBefore(deadline: number): Promise<LoadedIndex> {
    const onTimeout = () => new EncoderError("index_unavailable", "The index is still being loaded");
    return withTimeout(this.#load(), Math.max(0, deadline - performance.now()), onTimeout);
  }

  #load(): Promise<LoadedIndex> {
    if (this.#closed) return Promise.reject(new EncoderError("disposed", "The service is shutting down"));
    if (this.#index) return this.#index;
    const { error, time } = this.#lastFailure;
    if (error && performance.now() - time < retryInterval) return Promise.reject(error);
    const loading = this.#openThread();
    this.#index = loading;
    loading.catch((thrown) => {
      this.#lastFailure = { error: EncoderError.from(thrown), time: performance.now() };
      if (this.#index === loading) this.#index = null;
    });
    return loading;
  }

  async #openThread(): Promise<LoadedIndex> {
    const { path, encoder, loadTimeout, worker } = this.#options;
    let loaded = false;
    const thread = new IndexThread(worker, encoder, () => {
      if (loaded) this.#replace(thread);
    });
    this.#thread = thread;
    try {
      const index = await thread.open(path, loadTimeout);
      loaded = true;
      if (index.coverage.done < index.coverage.total) this.#embedMissing(thread, index.fingerprint);
      return { ...index, thread };
    } catch (thrown) {
      const error = EncoderError.from(thrown);
      void thread.terminate(error);
      if (error.code === "index_unavailable" || error.code === "disposed") throw error;
      throw new EncoderError("index_unavailable", "The index could not be loaded", {}, { cause: error });
    }
  }

  /** Loads the index in a new thread, unless `thread` is already replaced. */
  #replace(thread: IndexThread): void {
    if (this.#thread !== thread || this.#closed) return;
    this.#index = null;
    this.load().catch(() => {});
  }

  /** Embeds passages without a vector in the background. If this fails, keyword search still finds them. */
  #embedMissing(thread: IndexThread, fingerprint: string): void {
    const embed = async () => {
      const model = await this.#options.encoder.load();
      if (model.fingerprint === fingerprint) await thread.call(({ embedMissing }) => embedMissing());
    };
    embed().catch(() => {});
  }
}
