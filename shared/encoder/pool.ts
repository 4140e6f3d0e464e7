import { EncoderError } from "../errors.ts";
import {
  abortable,
  type CallOptions,
  disposedError,
  type Embeddings,
  type EmbedOptions,
  type Encoder,
  type EncoderInfo,
  type Model,
  meanTime,
  type TokenizeOptions,
  textList,
} from "./encoder.ts";
import type { EncoderObserver } from "./observer.ts";
import { type Deferred, deferred, openRequest, type PoolRequest, type Work } from "./pool-request.ts";
import { type Duty, PoolWorker, type WorkerHandle } from "./pool-worker.ts";
import { TextQueue, type Turn } from "./queue.ts";
import { oneTextPerRun } from "./session.ts";
import type { Token } from "./tokenizer.ts";

export interface PoolOptions<Prepared> {
  /** Starts a worker whose entry calls `exposeEncoder`. */
  readonly spawn: (duty: Duty) => WorkerHandle;
  /** How many workers take any text. Each holds the model and does one run at a time. */
  readonly size: number;
  /**
   * How many more take interactive requests alone, so that a question never waits for a bulk job's text. Each costs
   * the memory of a worker, and no throughput while nobody asks. Default 0.
   */
  readonly interactiveWorkers?: number;
  /** Makes, once for all workers, what each of them loads from. A failure is forgotten. */
  readonly prepare: () => Promise<Prepared>;
  /** How long a worker may take to load, in ms. Default 120,000. */
  readonly loadTimeout?: number;
  /** How long a worker may take for what it was handed, in ms, before it counts as hung. Default 60,000. */
  readonly runTimeout?: number;
  /** How long a request shares its turns with younger ones, in ms: see {@link TextQueue}. Default: as long as it takes. */
  readonly patience?: number;
  /**
   * Whether the pool loads again by itself after every worker failed to load, after 1, 2, 4 … and at most 30 s. Default
   * false: the next call does. A pool that keeps trying must be disposed of.
   */
  readonly keepTrying?: boolean;
  readonly observer?: EncoderObserver;
}

const defaults = {
  interactiveWorkers: 0,
  loadTimeout: 120_000,
  runTimeout: 60_000,
  patience: Number.POSITIVE_INFINITY,
  keepTrying: false,
  observer: {},
} satisfies Partial<PoolOptions<unknown>>;

/** A worker that fails to load is tried again after 1, 2, 4 … and at most 30 s. */
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
  /** Why no worker could load, until one has. */
  #error: EncoderError | null = null;
  #restart: unknown = null;
  /** Since the last load that succeeded. */
  #restarts = 0;

  /** Starts nothing: the first call does. Throws `RangeError` for a size below 1. */
  constructor(options: PoolOptions<Prepared>) {
    if (!Number.isInteger(options.size) || options.size < 1) {
      throw new RangeError(`EncoderPool: size must be a whole number of workers, at least 1, not ${options.size}`);
    }
    this.#options = { ...defaults, ...options };
    this.#queue = new TextQueue(this.#options.patience);
  }

  load({ signal }: CallOptions = {}): Promise<Model> {
    return abortable(this.#load(), signal);
  }

  async embed(texts: string | readonly string[], { signal, onProgress, ...options }: EmbedOptions = {}): Promise<Embeddings> {
    const called = performance.now();
    const done = { texts: 0, tokens: 0 };
    const results = await this.#compute(textList(texts), signal, {
      async run(worker, batch) {
        const waited = performance.now() - called;
        const embedded = await worker.embed(batch, options);
        return embedded.map((one) => ({ ...one, time: { ...one.time, queue: waited + one.time.queue } }));
      },
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
      time: meanTime(results.map(({ time }) => time)),
    };
  }

  async tokenize(texts: string | readonly string[], { signal, ...options }: TokenizeOptions = {}): Promise<Token[][]> {
    return this.#compute(textList(texts), signal, { run: (worker, batch) => worker.tokenize(batch, options) });
  }

  info(): EncoderInfo {
    const ready = [...this.#workers].filter((worker) => worker.loaded);
    // A load that is tried again is not reported as loading: it failed, and may fail again.
    const state = ready.length > 0 ? "ready" : this.#error ? "failed" : this.#loading ? "loading" : "idle";
    return {
      state,
      model: this.#model,
      device: ready[0]?.loaded?.device ?? null,
      workers: { ready: ready.length, size: this.#options.size + this.#options.interactiveWorkers },
      error: state === "failed" ? this.#error : null,
    };
  }

  async dispose(): Promise<void> {
    const terminated = this.#stop(disposedError());
    this.#prepared = null;
    this.#restarts = 0;
    await terminated;
  }

  #compute<Result>(texts: readonly string[], signal: AbortSignal | undefined, work: Work<Prepared, Result>): Promise<Result[]> {
    if (texts.length === 0) return Promise.resolve([]);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const onAbort = () => request.fail(signal?.reason);
    const { request, results } = openRequest(texts, work, () => {
      this.#queue.remove(request);
      signal?.removeEventListener("abort", onAbort);
    });
    signal?.addEventListener("abort", onAbort);
    this.#queue.add(request);
    // A load that fails rejects the request with everything else in the queue.
    this.#load().catch(() => {});
    this.#dispatch();
    return results;
  }

  /** Hands the next texts to every idle worker. */
  #dispatch(): void {
    const loaded = [...this.#workers].filter((worker) => worker.loaded);
    const interactive = loaded.filter(({ duty }) => duty === "interactive");
    const others = loaded.filter(({ duty }) => duty === "any");
    // While those of one duty are the only ones left, they do the others' work.
    for (const worker of [...interactive, ...others]) {
      if (worker.busy) continue;
      const { texts, tokens } = worker.loaded?.batch ?? oneTextPerRun;
      const size = { texts, tokens, workers: loaded.length };
      const reserved = worker.duty === "interactive" && others.length > 0;
      const turn = reserved ? this.#queue.nextInteractive(size) : this.#queue.next(size);
      if (turn) void this.#run(worker, turn);
    }
  }

  async #run(worker: PoolWorker<Prepared>, turn: Turn<PoolRequest<Prepared>>): Promise<void> {
    worker.busy = true;
    try {
      const left = await turn.request.run(worker, turn.indexes);
      if (left.length > 0) this.#queue.putBack(turn.request, left);
    } catch (error) {
      this.#onFailedRun(worker, turn, EncoderError.from(error));
    }
    worker.busy = false;
    this.#dispatch();
  }

  #onFailedRun(worker: PoolWorker<Prepared>, { request, indexes }: Turn<PoolRequest<Prepared>>, error: EncoderError): void {
    if (error.type !== "Backend" || error.code === "disposed") {
      const index = error.details.index === undefined ? undefined : indexes[error.details.index];
      request.fail(index === undefined ? error : error.at(index));
      return;
    }
    // After a failed run a runtime may fail every later one in its realm, so the worker goes, not just the text.
    this.#retire(worker, error);
    // The observer, which was told, may have disposed of the pool.
    if (!this.#loading) {
      request.fail(error);
      return;
    }
    const again = indexes.find((index) => request.retried.has(index));
    if (again !== undefined) {
      request.fail(indexes.length === 1 ? error.at(again) : error);
      return;
    }
    for (const index of indexes) request.retried.add(index);
    this.#queue.putBack(request, indexes);
  }

  #load(): Promise<Model> {
    if (this.#loading) return this.#loading.promise;
    const loading = deferred<Model>();
    this.#loading = loading;
    this.#prepare().then(
      () => {
        if (this.#loading === loading) this.#fill();
      },
      (error) => {
        if (this.#loading === loading) this.#onFailedLoad(EncoderError.from(error, "load_failed"), null);
      },
    );
    return loading.promise;
  }

  /** What workers load from: made once, and again after it failed. */
  #prepare(): Promise<Prepared> {
    if (this.#prepared) return this.#prepared;
    const prepared = this.#options.prepare();
    this.#prepared = prepared;
    prepared.catch(() => {
      if (this.#prepared === prepared) this.#prepared = null;
    });
    return prepared;
  }

  /** Starts as many workers as are missing. */
  #fill(): void {
    const { size, interactiveWorkers } = this.#options;
    try {
      this.#start("any", size);
      this.#start("interactive", interactiveWorkers);
    } catch (error) {
      this.#onFailedLoad(EncoderError.from(error, "load_failed"), null);
    }
  }

  #start(duty: Duty, size: number): void {
    const { spawn, runTimeout } = this.#options;
    const there = [...this.#workers].filter((worker) => worker.duty === duty).length;
    for (let missing = size - there; missing > 0 && this.#loading; missing--) {
      const worker: PoolWorker<Prepared> = new PoolWorker(spawn(duty), duty, runTimeout, (error) => this.#retire(worker, error));
      this.#workers.add(worker);
      void this.#loadWorker(worker, this.#prepare());
    }
  }

  async #loadWorker(worker: PoolWorker<Prepared>, prepared: Promise<Prepared>): Promise<void> {
    const began = performance.now();
    try {
      const { model, device } = await worker.load(await prepared, this.#options.loadTimeout);
      if (!this.#workers.has(worker)) return;
      this.#restarts = 0;
      this.#error = null;
      this.#model = model;
      this.#options.observer.onLoad?.({ ms: performance.now() - began, duty: worker.duty, device });
      this.#loading?.resolve(model);
      this.#dispatch();
    } catch (error) {
      this.#retire(worker, EncoderError.from(error, "load_failed"));
    }
  }

  /** Ends a worker and sees to its successor. */
  #retire(worker: PoolWorker<Prepared>, error: EncoderError): void {
    const belongs = this.#workers.delete(worker);
    worker.terminate(error);
    if (!belongs) return;
    if (worker.loaded) {
      this.#options.observer.onRestart?.({ code: error.code, message: error.message, duty: worker.duty });
      this.#fill();
      return;
    }
    this.#onFailedLoad(error, worker.duty);
  }

  /** Tries again later while others serve. When none is left to hope for, all that wait are told why. */
  #onFailedLoad(error: EncoderError, duty: Duty | null): void {
    this.#options.observer.onLoadFailure?.({ code: error.code, message: error.message, duty });
    if (this.#workers.size === 0) {
      void this.#stop(error);
      this.#error = error;
      if (!this.#options.keepTrying) return;
    }
    clearTimeout(this.#restart);
    const delay = Math.min(firstRestartDelay * 2 ** this.#restarts, longestRestartDelay);
    this.#restart = setTimeout(() => {
      this.#restarts += 1;
      if (this.#loading) this.#fill();
      else this.#load().catch(() => {});
    }, delay);
  }

  /** Back to the state before the first call; whatever waits rejects with `error`. */
  async #stop(error: EncoderError): Promise<void> {
    const workers = [...this.#workers];
    this.#workers.clear();
    clearTimeout(this.#restart);
    this.#error = null;
    this.#loading?.reject(error);
    this.#loading = null;
    for (const request of this.#queue.drain()) request.fail(error);
    await Promise.all(workers.map((worker) => worker.terminate(error)));
  }
}
