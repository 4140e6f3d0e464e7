import { type Endpoint, wrap } from "comlink";
import { EncoderError } from "../errors.ts";
import type { EmbeddingTime, TextOptions, TokenizeOptions } from "./encoder.ts";
import type { Token } from "./tokenizer.ts";
import type { LoadedWorker, RemoteEncoder } from "./worker.ts";

/** A running worker, as its platform hands it in. */
export interface WorkerHandle {
  readonly endpoint: Endpoint;
  /** Calls back when the worker ends or fails by itself, with the reason. */
  onDeath(listener: (reason: string) => void): void;
  terminate(): unknown;
}

/** What a worker of a pool is for: all requests, or the interactive ones alone. */
export type Duty = "any" | "interactive";

/** One result per text of a batch. */
export interface TextResult {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly tokens: number;
  readonly truncated: number;
  readonly time: EmbeddingTime;
}

/**
 * One supervised worker. Comlink does not notice a dead worker and has no deadlines: here every call ends, with its
 * answer or with `worker_died` or `timeout`.
 */
export class PoolWorker<Prepared> {
  /** Null until the worker has loaded its model. */
  loaded: LoadedWorker | null = null;
  busy = false;
  readonly duty: Duty;
  readonly #handle: WorkerHandle;
  readonly #remote: RemoteEncoder<Prepared>;
  readonly #runTimeout: number;
  readonly #ended: Promise<never>;
  #end: (error: EncoderError) => void = () => {};

  /**
   * @param runTimeout ms for each call but `load`
   * @param onDeath told when the worker dies by itself
   */
  constructor(handle: WorkerHandle, duty: Duty, runTimeout: number, onDeath: (error: EncoderError) => void) {
    this.#handle = handle;
    this.duty = duty;
    this.#runTimeout = runTimeout;
    // Each method of a RemoteEncoder takes clones and returns a promise, so the proxy is one; Comlink's own mapped
    // type cannot see that through a type parameter.
    this.#remote = wrap(handle.endpoint) as unknown as RemoteEncoder<Prepared>;
    this.#ended = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.#ended.catch(() => {});
    handle.onDeath((reason) => onDeath(new EncoderError("worker_died", `The encoder's worker died: ${reason}`)));
  }

  /** @param timeout ms */
  async load(prepared: Prepared, timeout: number): Promise<LoadedWorker> {
    this.loaded = await this.#bounded(this.#remote.load(prepared, this.duty), timeout);
    return this.loaded;
  }

  async embed(texts: readonly string[], options: TextOptions): Promise<TextResult[]> {
    const { vectors, tokens, truncated, time } = await this.#bounded(this.#remote.embed(texts, options), this.#runTimeout);
    return vectors.map((vector, i) => ({ vector, tokens: tokens[i] ?? 0, truncated: truncated[i] ?? 0, time }));
  }

  tokenize(texts: readonly string[], options: TokenizeOptions): Promise<Token[][]> {
    return this.#bounded(this.#remote.tokenize(texts, options), this.#runTimeout);
  }

  /** Ends the worker; whatever it was doing rejects with `error`. */
  terminate(error: EncoderError): unknown {
    this.#end(error);
    return this.#handle.terminate();
  }

  async #bounded<T>(call: Promise<T>, timeout: number): Promise<T> {
    let timer: unknown;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new EncoderError("timeout", `The encoder's worker did not answer within ${timeout} ms`, { limit: timeout })),
        timeout,
      );
    });
    call.catch(() => {});
    try {
      return await Promise.race([call, this.#ended, deadline]);
    } catch (error) {
      throw EncoderError.from(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
