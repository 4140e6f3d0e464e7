/** A promise with its resolving functions. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Creates a {@link Deferred}. An unhandled rejection is not reported. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void; // assigned synchronously by the Promise constructor
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/**
 * Settles as `promise`, or rejects with `signal.reason` as soon as the signal aborts. The work behind `promise` continues. A signal that
 * lives on retains nothing of it, unlike `Promise.race` with a pending promise, which retains every result (nodejs/node #17469).
 * @example
 * const model = await abortable(loadModel(), AbortSignal.timeout(5_000));
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Settles as `promise`, or rejects with the result of `onTimeout` after `timeout` ms. The work behind `promise` continues.
 * @example
 * await withTimeout(worker.load(), 5_000, () => new EncoderError("timeout", "The worker did not load within 5 s"));
 */
export async function withTimeout<T>(promise: Promise<T>, timeout: number, onTimeout: () => unknown): Promise<T> {
  promise.catch(() => {});
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onTimeout()), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A function that starts its work once: see {@link once}. */
export interface Once<T> {
  (): Promise<T>;
  /** Forgets the promise: the next call starts the work again. */
  forget(): void;
}

/**
 * Caches the promise of `start`, so that concurrent first callers share it. A rejected promise is never kept: the next call starts again.
 * @example
 * const model = once(() => loadModel());
 * await Promise.all([model(), model()]); // loads once
 */
export function once<T>(start: () => Promise<T>): Once<T> {
  let cached: Promise<T> | null = null;
  const get = (): Promise<T> => {
    if (cached) return cached;
    const started = start();
    cached = started;
    started.catch(() => {
      if (cached === started) cached = null;
    });
    return started;
  };
  return Object.assign(get, {
    forget() {
      cached = null;
    },
  });
}

/** Runs asynchronous tasks one after another, in the order of the calls. A task that fails does not affect the next one. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#last.then(task, task);
    // Not the result, which would be retained until the next task.
    const ended = () => {};
    this.#last = run.then(ended, ended);
    return run;
  }
}

/** Yields to the event loop: resolves in a later task. */
export const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
