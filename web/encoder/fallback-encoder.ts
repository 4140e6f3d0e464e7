import type {
  CallOptions,
  Embeddings,
  EmbedOptions,
  Encoder,
  EncoderInfo,
  Model,
  Progress,
  TokenizeOptions,
} from "../../shared/encoder/encoder.ts";
import type { Token } from "../../shared/encoder/tokenizer.ts";
import { EncoderError } from "../../shared/errors.ts";

/** Options of a {@link FallbackEncoder}. */
export interface FallbackEncoderOptions {
  /** Creates the WebGPU pool. It calls `onFailure` with the reason as soon as the device fails, even without a pending call. */
  readonly createWebgpu: (onFailure: (reason: string) => void) => Encoder;
  readonly createWasm: () => Encoder;
  /** Called once, before the WASM pool is created, with the reason as a sentence. */
  readonly onFallback: (reason: string) => void;
}

/**
 * An encoder on WebGPU that moves to WASM when WebGPU fails. The WASM pool replaces the WebGPU pool, and failed calls are repeated with
 * the same texts: a vector depends on its text alone.
 */
export class FallbackEncoder implements Encoder {
  readonly #options: FallbackEncoderOptions;
  readonly #webgpu: Encoder;
  #pool: Encoder;

  constructor(options: FallbackEncoderOptions) {
    this.#options = options;
    this.#webgpu = options.createWebgpu((reason) => this.#fallBack(reason));
    this.#pool = this.#webgpu;
  }

  load(options: CallOptions = {}): Promise<Model> {
    return this.#call((pool) => pool.load(options), options);
  }

  embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const onProgress = increasing(options.onProgress);
    return this.#call((pool) => pool.embed(texts, { ...options, onProgress }), options);
  }

  tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    return this.#call((pool) => pool.tokenize(texts, options), options);
  }

  info(): EncoderInfo {
    return this.#pool.info();
  }

  dispose(): Promise<void> {
    return this.#pool.dispose();
  }

  async #call<Result>(call: (pool: Encoder) => Promise<Result>, { signal }: CallOptions): Promise<Result> {
    const pool = this.#pool;
    try {
      return await call(pool);
    } catch (error) {
      signal?.throwIfAborted();
      const { type, code, message } = EncoderError.from(error);
      if (pool !== this.#webgpu || type !== "Backend") throw error;
      // Falling back disposes the WebGPU pool, which rejects its other calls. Any other disposal is the caller's.
      if (this.#pool === pool && code === "disposed") throw error;
      this.#fallBack(message);
    }
    return call(this.#pool);
  }

  #fallBack(reason: string): void {
    if (this.#pool !== this.#webgpu) return;
    this.#options.onFallback(`WebGPU failed: ${reason}`);
    this.#pool = this.#options.createWasm();
    void this.#webgpu.dispose();
    // Loads before the next call. A failed load is retried by that call.
    this.#pool.load().catch(() => {});
  }
}

/** `onProgress` for a call that may be repeated: drops reports that do not exceed an earlier one. */
export function increasing(onProgress: EmbedOptions["onProgress"]): (done: Progress) => void {
  let texts = 0;
  return (done) => {
    if (done.texts <= texts) return;
    texts = done.texts;
    onProgress?.(done);
  };
}
