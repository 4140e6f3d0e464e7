import { EncoderError } from "../errors.ts";
import { abortable, type CallOptions, type Encoder } from "./encoder.ts";
import { EncoderLayer } from "./layer.ts";

/** An encoder whose calls end in time: with their answer, or with `timeout` and their waiting texts dropped. */
export class DeadlineEncoder extends EncoderLayer {
  readonly #timeout: number;

  /** @param timeout ms from the call. The load that a call waits for counts, and goes on without it. */
  constructor(below: Encoder, timeout: number) {
    super(below);
    this.#timeout = timeout;
  }

  protected override async pass<Options extends CallOptions, T>(
    options: Options,
    call: (below: Encoder, options: Options) => Promise<T>,
  ): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    const controller = new AbortController();
    // Not AbortSignal.any: it must let go of the caller's signal when the call is over.
    const onAbort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    const timer = setTimeout(() => {
      const message = `The service had no answer within ${this.#timeout} ms`;
      controller.abort(new EncoderError("timeout", message, { limit: this.#timeout }));
    }, this.#timeout);
    try {
      return await abortable(super.pass({ ...options, signal: controller.signal }, call), controller.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}
