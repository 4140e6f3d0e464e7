import type { ErrorCode } from "../errors.ts";
import type { Duty } from "./pool-worker.ts";
import type { Device } from "./session.ts";

interface WorkerFailure {
  readonly code: ErrorCode;
  /** The error's own, which is fit to be shown. */
  readonly message: string;
  /** Of the worker; null where it was not one worker that failed, but what all of them load from. */
  readonly duty: Duty | null;
}

/** What an encoder tells whoever counts: numbers and codes, never a text. A method must not throw and must not wait. */
export interface EncoderObserver {
  /** A worker has loaded the model and passed its self-test, in `ms`. Once per worker, however many callers waited for it. */
  onLoad?(event: { readonly ms: number; readonly duty: Duty; readonly device: Device }): void;
  /** A worker could not load the model. */
  onLoadFailure?(event: WorkerFailure): void;
  /** A worker that served has died, hung or failed, and is replaced. */
  onRestart?(event: WorkerFailure): void;
  /** Texts looked up in the cache of vectors; `joined` were being computed for somebody else. `hits + joined + misses` texts. */
  onLookup?(event: { readonly hits: number; readonly joined: number; readonly misses: number }): void;
  /** A whole request was refused: the queue is full. */
  onRefusal?(event: { readonly texts: number }): void;
}
