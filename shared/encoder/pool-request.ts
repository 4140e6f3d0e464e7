import { EncoderError } from "../errors.ts";
import type { PoolWorker } from "./pool-worker.ts";
import { estimatedTokens, type Lane, laneOf } from "./queue.ts";

/** One caller's texts, on their way through the pool. */
export interface PoolRequest<Prepared> {
  /** Of each text, counted or estimated. */
  readonly tokens: readonly number[];
  readonly lane: Lane;
  /** Texts whose first worker failed them: there is one second try. */
  readonly retried: Set<number>;
  /** Computes some texts, from the first on, and keeps their results. Gives the others, which are still to be computed. */
  run(worker: PoolWorker<Prepared>, indexes: readonly number[]): Promise<readonly number[]>;
  /** Rejects the caller, unless it was answered before. */
  fail(error: unknown): void;
}

/** How the results of a request are computed: one per text, of as many texts as the worker takes at once. */
export interface Work<Prepared, Result> {
  run(worker: PoolWorker<Prepared>, batch: readonly string[]): Promise<Result[]>;
  /** Told each batch's results. What it throws fails the request. */
  onResults?(results: readonly Result[]): void;
}

interface OpenedRequest<Prepared, Result> {
  readonly request: PoolRequest<Prepared>;
  /** In the order of the texts. Rejects with what the request was failed with. */
  readonly results: Promise<Result[]>;
}

/** @param onSettled told at once when the last result is there or the request has failed */
export function openRequest<Prepared, Result>(
  texts: readonly string[],
  work: Work<Prepared, Result>,
  onSettled: () => void,
): OpenedRequest<Prepared, Result> {
  const { promise, resolve, reject } = deferred<Result[]>();
  const results = new Array<Result>(texts.length);
  let left = texts.length;
  let settled = false;
  const settle = () => {
    settled = true;
    onSettled();
  };
  const request: PoolRequest<Prepared> = {
    tokens: estimatedTokens(texts),
    lane: laneOf(texts),
    retried: new Set(),
    async run(worker, indexes) {
      const batch = await work.run(
        worker,
        indexes.map((index) => texts[index] ?? ""),
      );
      if (settled) return [];
      if (batch.length === 0) throw new EncoderError("internal", "The worker returned no result");
      for (const [place, result] of batch.entries()) results[indexes[place] ?? 0] = result;
      left -= batch.length;
      try {
        work.onResults?.(batch);
      } catch (error) {
        request.fail(error);
      }
      if (settled) return [];
      if (left > 0) return indexes.slice(batch.length);
      settle();
      resolve(results);
      return [];
    },
    fail(error) {
      if (settled) return;
      settle();
      reject(error);
    },
  };
  return { request, results: promise };
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise settled from outside; it may reject with nobody listening. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void; // set by the constructor below, before anyone can call it
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
