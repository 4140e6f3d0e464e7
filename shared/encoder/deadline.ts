import { EncoderError } from "../errors.ts";
import {
  abortable,
  type CallOptions,
  type Embeddings,
  type EmbedOptions,
  type Encoder,
  type Kind,
  type Model,
  type TokenizeOptions,
} from "./encoder.ts";
import { EncoderLayer } from "./layer.ts";
import type { Token } from "./tokenizer.ts";

/** An encoder whose calls end in time: with their answer, or with `timeout` and their waiting texts dropped. */
export class DeadlineEncoder extends EncoderLayer {
  readonly #timeout: number;

  /** @param timeout ms from the call. The load that a call waits for counts, and goes on without it. */
  constructor(below: Encoder, timeout: number) {
    super(below);
    this.#timeout = timeout;
  }

  override load(options: CallOptions = {}): Promise<Model> {
    return this.#inTime(options, (signal) => super.load({ ...options, signal }));
  }

  override embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    return this.#inTime(options, (signal) => super.embed(texts, { ...options, signal }));
  }

  override countTokens(texts: string | readonly string[], options: CallOptions & { readonly kind?: Kind } = {}): Promise<number[]> {
    return this.#inTime(options, (signal) => super.countTokens(texts, { ...options, signal }));
  }

  override tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    return this.#inTime(options, (signal) => super.tokenize(texts, { ...options, signal }));
  }

  async #inTime<T>({ signal }: CallOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
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
      return await abortable(call(controller.signal), controller.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}
