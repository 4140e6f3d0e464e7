import { abortable, Mutex, withTimeout } from "../../shared/async.ts";
import type { SearchRequest, SearchResponse } from "../../shared/contract.ts";
import type { CallOptions, Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { parseQuery } from "../../shared/search/query.ts";
import type { DocumentSearch } from "../document-search.ts";
import { IndexThread } from "./index-thread.ts";
import type { OpenedIndex } from "./index-worker.ts";

export interface IndexSearchOptions {
  /** Of the index file. */
  readonly path: string;
  readonly encoder: Pick<Encoder, "load" | "embed">;
  /** ms for one search in the worker thread, and for waiting until the index is loaded. Default 20,000. */
  readonly timeout?: number;
  /** ms for loading the index file. Default 120,000. */
  readonly loadTimeout?: number;
  /** Searches that run or wait. Default 64. */
  readonly maxSearches?: number;
  /** Entry of the worker thread. */
  readonly worker?: URL;
}

/** ms after a failed load in which searches are refused with the same error, without another attempt. */
const retryInterval = 1_000;

/** s after which a refused caller should try again. */
const retryAfter = 1;

interface LoadedIndex extends OpenedIndex {
  readonly thread: IndexThread;
}

/**
 * Searches an index file in a worker thread, one search at a time. The first call loads the file; a failed load is repeated by later
 * calls. A thread that dies, or that does not answer in time, is replaced. Queries are embedded by the main thread's encoder.
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

  /** Resolves when the index is loaded. Rejects with `index_unavailable`; a later call tries again. */
  async load(): Promise<void> {
    await this.#load();
  }

  async search(request: SearchRequest, { signal }: CallOptions = {}): Promise<SearchResponse> {
    signal?.throwIfAborted();
    const { maxSearches } = this.#options;
    if (this.#searches >= maxSearches) {
      throw new EncoderError("overloaded", `${maxSearches} searches are waiting`, { limit: maxSearches, retryAfter });
    }
    this.#searches += 1;
    try {
      return await abortable(this.#search(request, signal), signal);
    } finally {
      this.#searches -= 1;
    }
  }

  /** Terminates the thread. Searches that run or wait are rejected with `disposed`. */
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
        throw new EncoderError("index_unavailable", "Another model made the index file: its documents must be indexed again");
      }
      if (query && dimensions > 0 && query.vector.length !== dimensions) {
        throw new EncoderError("index_unavailable", "The index file is not valid: its vectors have other dimensions than the model's");
      }
      try {
        return await thread.call(({ search }) => search(request, query?.vector ?? null), this.#options.timeout);
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

  /** Null for keyword search. */
  async #embed({ query, mode }: SearchRequest, signal: AbortSignal | undefined) {
    const { text } = parseQuery(query);
    if (mode === "keyword" || text === "") return null;
    const { encoder } = this.#options;
    const { fingerprint } = await encoder.load(signal && { signal });
    const { vectors } = await encoder.embed(text, { inputType: "query", ...(signal && { signal }) });
    return { fingerprint, vector: vectors[0] as Float32Array }; // one text, one vector
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

  /** Loads the index in a new thread, unless there is one already. */
  #replace(thread: IndexThread): void {
    if (this.#thread !== thread || this.#closed) return;
    this.#index = null;
    this.load().catch(() => {});
  }

  /** Embeds passages without a vector in the background. A failure leaves them to keyword search. */
  #embedMissing(thread: IndexThread, fingerprint: string): void {
    const embed = async () => {
      const model = await this.#options.encoder.load();
      if (model.fingerprint === fingerprint) await thread.call(({ embedMissing }) => embedMissing());
    };
    embed().catch(() => {});
  }
}
