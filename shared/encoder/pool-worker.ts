import { abortable, withTimeout } from "../async.ts";
import { wrap } from "../comlink.ts";
import { EncoderError } from "../errors.ts";
import type { TokenizeOptions } from "./encoder.ts";
import type { EmbedItem } from "./model-runner.ts";
import type { LoadedWorker, RemoteWorker, TextResult, WorkerHandle, WorkerRole } from "./protocol.ts";
import { unpackTokens } from "./token-columns.ts";
import type { Token } from "./tokenizer.ts";

/**
 * A worker of a pool. Every call settles, with its result or with `worker_died` or `timeout`: Comlink neither notices a dead worker nor has
 * timeouts.
 */
export class PoolWorker<Prepared> {
  /** Null until the worker has loaded its model. */
  loaded: LoadedWorker | null = null;
  busy = false;
  /** Whether the current or last batch consists of interactive requests. */
  interactive = false;
  readonly role: WorkerRole;
  readonly #handle: WorkerHandle;
  readonly #remote: RemoteWorker<Prepared>;
  readonly #runTimeout: number;
  readonly #ended = new AbortController();

  /**
   * @param runTimeout maximum ms for each call except `load`
   * @param onDeath called when the worker dies by itself
   */
  constructor(handle: WorkerHandle, role: WorkerRole, runTimeout: number, onDeath: (error: EncoderError) => void) {
    this.#handle = handle;
    this.role = role;
    this.#runTimeout = runTimeout;
    // Every method of a RemoteWorker takes cloneable values and returns a promise, so the proxy has its type. Comlink's mapped type cannot
    // derive that through a type parameter.
    this.#remote = wrap(handle.endpoint) as unknown as RemoteWorker<Prepared>;
    handle.onDeath((reason) => onDeath(new EncoderError("worker_died", `The encoder's worker died: ${reason}`)));
  }

  /**
   * Loads the model. Rejects with the error of the worker, `worker_died` or `timeout`.
   * @param timeout maximum ms
   */
  async load(prepared: Prepared, timeout: number): Promise<LoadedWorker> {
    this.loaded = await this.#call(this.#remote.load(prepared, this.role), timeout);
    return this.loaded;
  }

  /** Computes the first texts, as many as fit into one run. `ms` is the time of the run. */
  async embed(items: readonly EmbedItem[]): Promise<{ readonly results: TextResult[]; readonly ms: number }> {
    const { results, ms } = await this.#call(this.#remote.embed(items), this.#runTimeout);
    if (results.length === 0) throw new EncoderError("internal", "The worker returned no result");
    const typed = results.map((result) =>
      "error" in result ? { error: EncoderError.from(result.error) } : { ...result, vector: ownBuffer(result.vector) },
    );
    return { results: typed, ms };
  }

  async tokenize(text: string, options: Omit<TokenizeOptions, "signal">): Promise<Token[]> {
    return unpackTokens(await this.#call(this.#remote.tokenize(text, options), this.#runTimeout));
  }

  /** Terminates the worker. Its pending call rejects with `error`. */
  terminate(error: EncoderError): unknown {
    this.#ended.abort(error);
    return this.#handle.terminate();
  }

  #call<T>(call: Promise<T>, timeout: number): Promise<T> {
    const onTimeout = () => new EncoderError("timeout", `The encoder's worker did not answer within ${timeout} ms`, { limit: timeout });
    return withTimeout(abortable(call, this.#ended.signal), timeout, onTimeout);
  }
}

/** Copies a vector that is a view of a larger buffer, as messages from another process are. */
function ownBuffer(vector: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return vector.byteLength === vector.buffer.byteLength ? vector : vector.slice();
}
