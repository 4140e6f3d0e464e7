import type { ErrorCode } from "../errors.ts";
import type { WorkerRole } from "./protocol.ts";
import type { Device } from "./session.ts";

interface WorkerFailure {
  readonly code: ErrorCode;
  /** The error's message, which may be shown to users. */
  readonly message: string;
  /** Null if the preparation for all workers failed, rather than one worker. */
  readonly role: WorkerRole | null;
}

/** Events of an encoder for logs and metrics: numbers and codes, never a text. Methods must not throw or block. */
export interface EncoderObserver {
  /** A worker has loaded the model and passed its self-test. Called once per worker. */
  onLoad?(event: { readonly ms: number; readonly role: WorkerRole; readonly device: Device }): void;
  /** A worker could not load the model. */
  onLoadFailure?(event: WorkerFailure): void;
  /** A loaded worker has died, hung or failed, and is replaced. */
  onRestart?(event: WorkerFailure): void;
  /** Cache lookups of a request's texts. `joined` texts were being computed for another call. */
  onLookup?(event: { readonly hits: number; readonly joined: number; readonly misses: number }): void;
}
