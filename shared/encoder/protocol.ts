import type { Endpoint } from "../comlink.ts";
import type { EncoderError, PlainEncoderError } from "../errors.ts";
import type { Model, TokenizeOptions } from "./encoder.ts";
import type { EmbedItem } from "./model-runner.ts";
import type { BatchPolicy, Device } from "./session.ts";
import type { Token } from "./tokenizer.ts";

/** Which requests a worker takes: all, or interactive ones only. */
export type WorkerRole = "any" | "interactive";

/** A worker's session. */
export interface LoadedWorker {
  readonly model: Model;
  readonly device: Device;
  readonly batch: BatchPolicy;
}

/** A text's vector, `[dimensions]` float32, not normalized, or the error of this text alone. */
export type TextResult<Failure = EncoderError> =
  | { readonly vector: Float32Array<ArrayBuffer>; readonly tokens: number; readonly truncated: number }
  | { readonly error: Failure };

/** The methods of a worker, over Comlink. */
export interface RemoteWorker<Prepared> {
  /** Called once, before the others. */
  load(prepared: Prepared, role: WorkerRole): Promise<LoadedWorker>;
  /** Computes as many texts, from the first on, as share a run: at least one. `ms` is the time of the run. */
  embed(items: readonly EmbedItem[]): Promise<{ readonly results: TextResult<PlainEncoderError>[]; readonly ms: number }>;
  tokenize(text: string, options: Omit<TokenizeOptions, "signal">): Promise<Token[]>;
}

/** A running worker, as its platform provides it. */
export interface WorkerHandle {
  readonly endpoint: Endpoint;
  /** Calls back with the reason when the worker ends or fails by itself. */
  onDeath(listener: (reason: string) => void): void;
  /** Ends the worker, whatever it is doing. Resolves when it has ended, where the platform tells. */
  terminate(): unknown;
}
