import { type Deferred, deferred, once } from "../async.ts";
import { EncoderError } from "../errors.ts";
import type { Model } from "./encoder.ts";
import type { EncoderObserver } from "./observer.ts";
import { PoolWorker } from "./pool-worker.ts";
import type { WorkerHandle, WorkerRole } from "./protocol.ts";

/** The workers of a pool, and how they are started and supervised. */
export interface WorkersOptions<Prepared> {
  /** Starts a worker whose entry calls `exposeEncoder`. */
  readonly spawn: (role: WorkerRole) => WorkerHandle;
  /** Number of workers that take any text. Each holds the model and computes one run at a time. */
  readonly size: number;
  /**
   * Number of additional workers reserved for interactive requests, so that a query never waits for a bulk job. Each holds the model.
   * Default 0.
   */
  readonly interactiveWorkers?: number;
  /** Prepares the data that workers load the model from. Called once for all workers, and again after a failure. */
  readonly prepare: () => Promise<Prepared>;
  /** Maximum ms for a worker to load. Default 120,000. */
  readonly loadTimeout?: number;
  /** Maximum ms for one call to a worker, after which it counts as hung. Default 60,000. */
  readonly runTimeout?: number;
  /**
   * Whether loading is retried automatically after all workers failed to load, after 1, 2, 4 … and at most 30 s. Default false: the next
   * call retries. A pool that retries must be disposed.
   */
  readonly keepTrying?: boolean;
  readonly observer?: EncoderObserver;
}

/** Delays of retries in ms: 1, 2, 4 … and at most 30 s. */
const firstRetryDelay = 1_000;
const maxRetryDelay = 30_000;

interface WorkersEvents {
  /** A worker has loaded. */
  onReady(): void;
  /** No worker is left: queued requests fail. */
  onStopped(error: EncoderError): void;
}

/** Supervises the workers of a pool: starts them, loads their models once, and replaces workers that die, hang or fail. */
export class Workers<Prepared> {
  readonly #options: Required<Omit<WorkersOptions<Prepared>, "prepare">>;
  readonly #events: WorkersEvents;
  readonly #workers = new Set<PoolWorker<Prepared>>();
  readonly #prepared;
  /** The pending or completed load: resolves when the first worker is ready, rejects when no worker is left. */
  #loading: Deferred<Model> | null = null;
  #model: Model | null = null;
  /** The error of the last failed load, until a worker has loaded. */
  #error: EncoderError | null = null;
  #retry: unknown = null;
  /** Number of retries since the last successful load. */
  #retries = 0;

  constructor({ prepare, ...options }: WorkersOptions<Prepared>, events: WorkersEvents) {
    const defaults = { interactiveWorkers: 0, loadTimeout: 120_000, runTimeout: 60_000, keepTrying: false, observer: {} };
    this.#options = { ...defaults, ...options };
    this.#events = events;
    this.#prepared = once(prepare);
  }

  /** Workers that have loaded. */
  get ready(): PoolWorker<Prepared>[] {
    return [...this.#workers].filter(({ loaded }) => loaded);
  }

  get model(): Model | null {
    return this.#model;
  }

  /** The intended number of workers. */
  get size(): number {
    return this.#options.size + this.#options.interactiveWorkers;
  }

  /** Whether the workers are started. */
  get started(): boolean {
    return this.#loading !== null;
  }

  get state() {
    // A retry is reported as failed until it succeeds.
    return this.ready.length > 0 ? "ready" : this.#error ? "failed" : this.#loading ? "loading" : "idle";
  }

  get error(): EncoderError | null {
    return this.#error;
  }

  /** Starts the workers, once. Resolves when the first one is ready. */
  load(): Promise<Model> {
    if (this.#loading) return this.#loading.promise;
    const loading = deferred<Model>();
    this.#loading = loading;
    this.#prepared().then(
      () => {
        if (this.#loading === loading) this.#fill();
      },
      (error) => {
        if (this.#loading === loading) this.#onFailedLoad(EncoderError.from(error, "load_failed"), null);
      },
    );
    return loading.promise;
  }

  /** Terminates a worker whose call failed, and starts its replacement. */
  retire(worker: PoolWorker<Prepared>, error: EncoderError): void {
    const known = this.#workers.delete(worker);
    worker.terminate(error);
    if (!known) return;
    if (!worker.loaded) {
      this.#onFailedLoad(error, worker.role);
      return;
    }
    this.#options.observer.onRestart?.({ code: error.code, message: error.message, role: worker.role });
    this.#fill();
  }

  /** Terminates all workers and discards the prepared data. */
  async dispose(error: EncoderError): Promise<void> {
    const terminated = this.#stop(error);
    this.#prepared.forget();
    this.#retries = 0;
    await terminated;
  }

  /** Starts the missing workers. */
  #fill(): void {
    const { size, interactiveWorkers } = this.#options;
    try {
      this.#start("any", size);
      this.#start("interactive", interactiveWorkers);
    } catch (error) {
      this.#onFailedLoad(EncoderError.from(error, "load_failed"), null);
    }
  }

  #start(role: WorkerRole, size: number): void {
    const { spawn, runTimeout } = this.#options;
    const running = [...this.#workers].filter((worker) => worker.role === role).length;
    for (let missing = size - running; missing > 0 && this.#loading; missing--) {
      const worker: PoolWorker<Prepared> = new PoolWorker(spawn(role), role, runTimeout, (error) => this.retire(worker, error));
      this.#workers.add(worker);
      void this.#loadWorker(worker);
    }
  }

  async #loadWorker(worker: PoolWorker<Prepared>): Promise<void> {
    const began = performance.now();
    try {
      const { model, device } = await worker.load(await this.#prepared(), this.#options.loadTimeout);
      if (!this.#workers.has(worker)) return;
      this.#retries = 0;
      this.#error = null;
      this.#model = model;
      this.#options.observer.onLoad?.({ ms: performance.now() - began, role: worker.role, device });
      this.#loading?.resolve(model);
      this.#events.onReady();
    } catch (error) {
      this.retire(worker, EncoderError.from(error, "load_failed"));
    }
  }

  /** Retries later while other workers serve. If no worker is left, queued requests fail. */
  #onFailedLoad(error: EncoderError, role: WorkerRole | null): void {
    this.#options.observer.onLoadFailure?.({ code: error.code, message: error.message, role });
    if (this.#workers.size === 0) {
      void this.#stop(error);
      this.#error = error;
      if (!this.#options.keepTrying) return;
    }
    clearTimeout(this.#retry);
    const delay = Math.min(firstRetryDelay * 2 ** this.#retries, maxRetryDelay);
    this.#retry = setTimeout(() => {
      this.#retries += 1;
      if (this.#loading) this.#fill();
      else this.load().catch(() => {});
    }, delay);
  }

  /** Returns to the state before the first load. */
  async #stop(error: EncoderError): Promise<void> {
    const workers = [...this.#workers];
    this.#workers.clear();
    clearTimeout(this.#retry);
    this.#error = null;
    this.#loading?.reject(error);
    this.#loading = null;
    this.#events.onStopped(error);
    await Promise.all(workers.map((worker) => worker.terminate(error)));
  }
}
