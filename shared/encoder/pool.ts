import { EncoderError } from "../errors.ts";
import {
  abortable,
  type CallOptions,
  disposedError,
  type Embeddings,
  type EmbedOptions,
  type Encoder,
  type EncoderInfo,
  type Kind,
  type Model,
  textList,
} from "./encoder.ts";
import { PoolWorker, type WorkerHandle } from "./pool-worker.ts";
import { TextQueue, type Turn } from "./queue.ts";

export interface PoolOptions<Prepared> {
  /** Starts a worker whose entry calls `exposeEncoder`. */
  readonly spawn: () => WorkerHandle;
  /** How many workers. Each holds the model and runs one text at a time (one batch on WebGPU). */
  readonly size: number;
  /** Makes, once for all workers, what each of them loads from. A failure is forgotten. */
  readonly prepare: () => Promise<Prepared>;
  /** How long a worker may take to load, in ms. Default 120,000. */
  readonly loadTimeout?: number;
  /** How long a worker may take for what it was handed, in ms, before it counts as hung. Default 60,000. */
  readonly runTimeout?: number;
  /** Requests of at most so many texts go before all others. Default 4. */
  readonly interactiveTexts?: number;
}

/** One caller's texts, on their way through the pool. */
interface PoolRequest<Prepared> {
  readonly texts: readonly string[];
  /** Texts whose first worker failed them: there is one second try. */
  readonly retried: Set<number>;
  /** Computes some texts and keeps their results. */
  run(worker: PoolWorker<Prepared>, indexes: readonly number[]): Promise<void>;
  fail(error: unknown): void;
}

/** How the results of a request are computed. */
interface Work<Prepared, Result> {
  run(worker: PoolWorker<Prepared>, batch: readonly string[]): Promise<Result[]>;
  onResults?(results: readonly Result[]): void;
}

/** A worker that fails to load is tried again after 1, 2, 4 … and at most 30 s, while others serve. */
const firstRestartDelay = 1_000;
const longestRestartDelay = 30_000;

/**
 * An encoder over workers, the same in the page and in Node. A text is the unit of dispatch: an idle worker pulls the
 * next one (see {@link TextQueue}). A worker that dies, hangs or fails a run is replaced; its texts are tried once
 * more, and then it is an error to their caller alone.
 */
export class EncoderPool<Prepared> implements Encoder {
  readonly #options: Required<PoolOptions<Prepared>>;
  readonly #queue: TextQueue<PoolRequest<Prepared>>;
  readonly #workers = new Set<PoolWorker<Prepared>>();
  #prepared: Promise<Prepared> | null = null;
  /** The load that callers wait for: settled by the first worker that is ready, or when none is left to hope for. */
  #loading: Deferred<Model> | null = null;
  #model: Model | null = null;
  #error: EncoderError | null = null;
  #failedLoads = 0;
  #restart: unknown = null;

  /** Starts nothing: the first call does. Throws `RangeError` for a size below 1. */
  constructor(options: PoolOptions<Prepared>) {
    if (!Number.isInteger(options.size) || options.size < 1) {
      throw new RangeError(`EncoderPool: size must be a whole number of workers, at least 1, not ${options.size}`);
    }
    this.#options = { loadTimeout: 120_000, runTimeout: 60_000, interactiveTexts: 4, ...options };
    this.#queue = new TextQueue(this.#options.interactiveTexts);
  }

  load({ signal }: CallOptions = {}): Promise<Model> {
    return abortable(this.#load(), signal);
  }

  async embed(texts: string | readonly string[], { signal, onProgress, ...options }: EmbedOptions = {}): Promise<Embeddings> {
    const done = { texts: 0, tokens: 0 };
    const results = await this.#compute(textList(texts), signal, {
      run: (worker, batch) => worker.embed(batch, options),
      onResults: (batch) => {
        done.texts += batch.length;
        for (const { tokens } of batch) done.tokens += tokens;
        onProgress?.({ ...done });
      },
    });
    return {
      vectors: results.map(({ vector }) => vector),
      tokens: results.map(({ tokens }) => tokens),
      truncated: results.map(({ truncated }) => truncated),
    };
  }

  async countTokens(
    texts: string | readonly string[],
    { kind = "passage", signal }: CallOptions & { readonly kind?: Kind } = {},
  ): Promise<number[]> {
    return this.#compute(textList(texts), signal, { run: (worker, batch) => worker.countTokens(batch, kind) });
  }

  info(): EncoderInfo {
    const ready = [...this.#workers].filter((worker) => worker.loaded);
    const state = ready.length > 0 ? "ready" : this.#loading ? "loading" : this.#error ? "failed" : "idle";
    return {
      state,
      model: this.#model,
      device: ready[0]?.loaded?.device ?? null,
      workers: { ready: ready.length, size: this.#options.size },
      error: state === "failed" ? this.#error : null,
    };
  }

  async dispose(): Promise<void> {
    const terminated = this.#stop(disposedError());
    this.#prepared = null;
    this.#error = null;
    await terminated;
  }

  #compute<Result>(texts: readonly string[], signal: AbortSignal | undefined, work: Work<Prepared, Result>): Promise<Result[]> {
    if (texts.length === 0) return Promise.resolve([]);
    const computed = new Promise<Result[]>((resolve, reject) => {
      signal?.throwIfAborted();
      const results = new Array<Result>(texts.length);
      let left = texts.length;
      let settled = false;
      const settle = () => {
        settled = true;
        this.#queue.remove(request);
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = () => request.fail(signal?.reason);
      const request: PoolRequest<Prepared> = {
        texts,
        retried: new Set(),
        async run(worker, indexes) {
          const batch = await work.run(
            worker,
            indexes.map((index) => texts[index] ?? ""),
          );
          if (settled) return;
          for (const [place, index] of indexes.entries()) {
            const result = batch[place];
            if (result === undefined) throw new EncoderError("internal", "The worker returned fewer results than texts");
            results[index] = result;
          }
          left -= indexes.length;
          try {
            work.onResults?.(batch);
          } catch (error) {
            request.fail(error);
          }
          if (left > 0 || settled) return;
          settle();
          resolve(results);
        },
        fail(error) {
          if (settled) return;
          settle();
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#queue.add(request);
    });
    // A load that fails rejects the request with everything else in the queue.
    this.#load().catch(() => {});
    this.#dispatch();
    return computed;
  }

  /** Hands the next texts to every idle worker. */
  #dispatch(): void {
    for (const worker of this.#workers) {
      if (!worker.loaded || worker.busy) continue;
      const turn = this.#queue.next(worker.loaded.textsPerRun);
      if (!turn) return;
      void this.#run(worker, turn);
    }
  }

  async #run(worker: PoolWorker<Prepared>, turn: Turn<PoolRequest<Prepared>>): Promise<void> {
    worker.busy = true;
    try {
      await turn.request.run(worker, turn.indexes);
    } catch (error) {
      this.#onFailedRun(worker, turn, EncoderError.from(error));
    }
    worker.busy = false;
    this.#dispatch();
  }

  #onFailedRun(worker: PoolWorker<Prepared>, { request, indexes }: Turn<PoolRequest<Prepared>>, error: EncoderError): void {
    if (error.type !== "Backend" || error.code === "disposed") {
      request.fail(withRequestIndex(error, indexes));
      return;
    }
    // After a failed run a runtime may fail every later one in its realm, so the worker goes, not just the text.
    this.#retire(worker, error);
    if (indexes.some((index) => request.retried.has(index))) {
      request.fail(error);
      return;
    }
    for (const index of indexes) request.retried.add(index);
    this.#queue.putBack(request, indexes);
  }

  #load(): Promise<Model> {
    if (this.#loading) return this.#loading.promise;
    const loading = deferred<Model>();
    this.#loading = loading;
    this.#error = null;
    this.#prepared ??= this.#options.prepare();
    this.#prepared.then(
      () => {
        if (this.#loading === loading) this.#fill();
      },
      (error) => {
        this.#prepared = null;
        if (this.#loading === loading) void this.#stop(EncoderError.from(error, "load_failed"));
      },
    );
    return loading.promise;
  }

  /** Starts as many workers as are missing. */
  #fill(): void {
    try {
      while (this.#prepared && this.#workers.size < this.#options.size) {
        const handle = this.#options.spawn();
        const worker: PoolWorker<Prepared> = new PoolWorker(handle, this.#options.runTimeout, (error) => this.#retire(worker, error));
        this.#workers.add(worker);
        void this.#loadWorker(worker, this.#prepared);
      }
    } catch (error) {
      if (this.#workers.size === 0) void this.#stop(EncoderError.from(error, "load_failed"));
    }
  }

  async #loadWorker(worker: PoolWorker<Prepared>, prepared: Promise<Prepared>): Promise<void> {
    try {
      const { model } = await worker.load(await prepared, this.#options.loadTimeout);
      if (!this.#workers.has(worker)) return;
      this.#failedLoads = 0;
      this.#model = model;
      this.#loading?.resolve(model);
      this.#dispatch();
    } catch (error) {
      this.#retire(worker, EncoderError.from(error, "load_failed"));
    }
  }

  /** Ends a worker and sees to its successor. When the last one could not even load, all that wait are told why. */
  #retire(worker: PoolWorker<Prepared>, error: EncoderError): void {
    if (!this.#workers.delete(worker)) return;
    worker.terminate(error);
    if (worker.loaded) {
      this.#fill();
      return;
    }
    this.#failedLoads += 1;
    if (this.#workers.size === 0) {
      void this.#stop(error);
      return;
    }
    const delay = Math.min(firstRestartDelay * 2 ** (this.#failedLoads - 1), longestRestartDelay);
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => this.#fill(), delay);
  }

  /** Back to the state before the first call; whatever waits rejects with `error`. */
  async #stop(error: EncoderError): Promise<void> {
    const workers = [...this.#workers];
    this.#workers.clear();
    clearTimeout(this.#restart);
    this.#failedLoads = 0;
    this.#error = error;
    this.#loading?.reject(error);
    this.#loading = null;
    for (const request of this.#queue.drain()) request.fail(error);
    await Promise.all(workers.map((worker) => worker.terminate(error)));
  }
}

/** The error of a batch, with the text's index in its request instead of in the batch. */
function withRequestIndex(error: EncoderError, indexes: readonly number[]): EncoderError {
  const { index } = error.details;
  const inRequest = index === undefined ? undefined : indexes[index];
  if (inRequest === undefined) return error;
  return new EncoderError(error.code, error.message, { ...error.details, index: inRequest });
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise settled from outside; it may reject with nobody listening. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void; // set by the constructor below, before anyone can call it
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
