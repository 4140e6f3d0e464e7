import type { Endpoint } from "../comlink.ts";
import type { EncoderError, PlainEncoderError } from "../errors.ts";
import type { Model, TokenizeOptions } from "./encoder.ts";
import type { EmbedItem } from "./model-runner.ts";
import type { BatchPolicy, Device } from "./session.ts";
import type { TokenColumns } from "./token-columns.ts";

/** The requests that a worker takes: all, or only interactive ones. */
export type WorkerRole = "any" | "interactive";

/** Properties of a worker's session. */
export interface LoadedWorker {
  readonly model: Model;
  readonly device: Device;
  readonly batch: BatchPolicy;
}

/** The vector of a text, `[dimensions]` float32, not normalized; or the error of this text. */
export type TextResult<Failure = EncoderError> =
  | { readonly vector: Float32Array<ArrayBuffer>; readonly tokens: number; readonly truncated: number }
  | { readonly error: Failure };

/** The methods of a worker, over Comlink. */
export interface RemoteWorker<Prepared> {
  /** Called once, before the others. */
  load(prepared: Prepared, role: WorkerRole): Promise<LoadedWorker>;
  /** Computes the first texts, as many as fit into one run: at least one. `ms` is the time of the run. */
  embed(items: readonly EmbedItem[]): Promise<{ readonly results: TextResult<PlainEncoderError>[]; readonly ms: number }>;
  tokenize(text: string, options: Omit<TokenizeOptions, "signal">): Promise<TokenColumns>;
}

/** A running worker of a platform. */
export interface WorkerHandle {
  readonly endpoint: Endpoint;
  /** Registers a listener that is called with the reason when the worker ends or fails by itself. */
  onDeath(listener: (reason: string) => void): void;
  /** Terminates the worker immediately. Resolves when it has ended, if the platform reports that. */
  terminate(): unknown;
}
