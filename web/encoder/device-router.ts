import { abortable } from "../../shared/async.ts";
import { type Embeddings, type EmbedOptions, type EncoderInfo, meanTime, type Progress } from "../../shared/encoder/encoder.ts";
import { isInteractive } from "../../shared/encoder/queue.ts";
import { estimateTokens } from "../../shared/encoder/token-estimate.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { WebDevice } from "./download.ts";
import { increasing } from "./fallback-encoder.ts";
import type { PagePool } from "./page-pool.ts";

/** The device that computes bulk text. */
export interface DeviceChoice {
  readonly device: WebDevice;
  /** Why WebGPU was considered and is not used; null otherwise. */
  readonly reason: string | null;
  /** Workers that take any text, without those reserved for interactive requests. */
  readonly workers: number;
}

/** Options of a {@link DeviceRouter}. */
export interface DeviceRouterOptions {
  readonly engine: PagePool;
  /** Workers of the engine that take any text. */
  readonly workers: number;
  /**
   * Bulk tokens without a pause after which WebGPU is fetched. By then, the engine has computed for about as long as fetching and
   * starting WebGPU takes. The total time is therefore at most twice the optimum, however much text follows (the ski rental problem:
   * Karlin et al., 1988).
   */
  readonly webgpuThreshold: number;
  /** Resolves with the reason why WebGPU cannot be used, as a sentence; null if it can. */
  readonly webgpuRefusal: () => Promise<string | null>;
  /** @param onFailure to be called with the reason as soon as the device fails */
  readonly createWebgpuPool: (onFailure: (reason: string) => void) => PagePool;
  readonly onChoice: (choice: DeviceChoice) => void;
}

/** Texts per slice of a bulk call. Each slice may go to another device. */
const textsPerSlice = 256;

/** Bulk calls less than this many ms apart count as one stream. */
const maxPause = 10_000;

/** WebGPU is used if it takes at most this share of the engine's time. The margin absorbs measurement noise. */
const maxTimeShare = 0.8;

/** The texts that both devices compute for the comparison. */
const sampleTexts = 32;
const sampleQuery = "where is the key to the garden shed";

/**
 * Routes the texts of a page to a device. The engine computes at first. After `webgpuThreshold` tokens, the router fetches WebGPU, runs
 * its self-test, times it against the engine on the same texts, and uses it for bulk text if it is faster. When WebGPU fails, the engine
 * computes the same texts again: a vector depends on its text alone.
 */
export class DeviceRouter {
  readonly #options: DeviceRouterOptions;
  /** The WebGPU pool, from its creation until it is given up. */
  #pool: PagePool | null = null;
  /** The WebGPU pool while it is chosen for bulk text. */
  #webgpu: PagePool | null = null;
  /** The WebGPU pool after loading and before the comparison. */
  #candidate: PagePool | null = null;
  #comparison: Promise<void> | null = null;
  #queriesOnWebgpu = false;
  #considering = false;
  /** Bulk tokens of the current stream, and the time when its last call ended. */
  #tokens = 0;
  #lastBulk = Number.NEGATIVE_INFINITY;
  #bulkCalls = 0;
  #idle: (() => void)[] = [];
  #disposed = false;

  constructor(options: DeviceRouterOptions) {
    this.#options = options;
  }

  /** @param texts well-formed */
  async embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    if (isInteractive(texts)) {
      const idle = this.#queriesOnWebgpu && this.#bulkCalls === 0;
      return this.#computeOn(idle ? this.#webgpu : null, texts, options);
    }
    const parts: Embeddings[] = [];
    let tokens = 0;
    // A slice that WebGPU fails on is computed again.
    const report = increasing(options.onProgress);
    for (let start = 0; start < texts.length; start += textsPerSlice) {
      const onProgress = (done: Progress) => report({ texts: start + done.texts, tokens: tokens + done.tokens });
      try {
        const part = await this.#embedSlice(texts.slice(start, start + textsPerSlice), { ...options, onProgress });
        parts.push(part);
        for (const count of part.tokens) tokens += count;
      } catch (error) {
        const index = error instanceof EncoderError ? error.details.index : undefined;
        throw error instanceof EncoderError && index !== undefined ? error.at(start + index) : error;
      }
    }
    return joined(parts);
  }

  /** The engine's state, with the device that computes bulk text. */
  info(): EncoderInfo {
    const info = this.#options.engine.info();
    return { ...info, device: info.device && (this.#webgpu ? "webgpu" : info.device) };
  }

  dispose(): void {
    this.#disposed = true;
    void this.#pool?.dispose();
  }

  async #embedSlice(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    this.#count(texts);
    const candidate = this.#candidate;
    if (candidate) {
      this.#candidate = null;
      this.#comparison = this.#compare(candidate, texts.slice(0, sampleTexts));
    }
    if (this.#comparison) await abortable(this.#comparison, options.signal);
    this.#bulkCalls += 1;
    try {
      return await this.#computeOn(this.#webgpu, texts, options);
    } finally {
      this.#bulkCalls -= 1;
      this.#lastBulk = performance.now();
      if (this.#bulkCalls === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  async #computeOn(webgpu: PagePool | null, texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    if (webgpu) {
      try {
        return await webgpu.embed(texts, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const failure = EncoderError.from(error);
        if (failure.type !== "Backend" || this.#disposed) throw error;
        this.#giveUp(webgpu, `WebGPU failed: ${failure.message}`);
      }
    }
    return this.#options.engine.embed(texts, options);
  }

  #count(texts: readonly string[]): void {
    if (this.#bulkCalls === 0 && performance.now() - this.#lastBulk > maxPause) this.#tokens = 0;
    this.#tokens += texts.reduce((sum, text) => sum + estimateTokens(text), 0);
    if (this.#considering || this.#tokens < this.#options.webgpuThreshold) return;
    this.#considering = true;
    void this.#openWebgpu();
  }

  async #openWebgpu(): Promise<void> {
    const refusal = await this.#options.webgpuRefusal();
    if (refusal) return this.#choose("wasm", refusal);
    if (this.#disposed) return;
    const pool = this.#options.createWebgpuPool((reason) => this.#giveUp(pool, `WebGPU failed: ${reason}`));
    this.#pool = pool;
    try {
      await pool.load();
    } catch (error) {
      return this.#giveUp(pool, `WebGPU failed: ${EncoderError.from(error).message}`);
    }
    if (this.#pool === pool) this.#candidate = pool;
  }

  /** Waits until the engine has no other bulk text. Never rejects. */
  async #compare(webgpu: PagePool, sample: readonly string[]): Promise<void> {
    const { engine } = this.#options;
    try {
      if (this.#bulkCalls > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
      const webgpuTimes = await timesOf(webgpu, sample);
      const engineTimes = await timesOf(engine, sample);
      // WebGPU may have failed while the engine computed.
      if (this.#pool !== webgpu) return;
      if (webgpuTimes.sample > engineTimes.sample * maxTimeShare) {
        return this.#giveUp(webgpu, "WebGPU was measured and is slower than WASM here");
      }
      this.#queriesOnWebgpu = webgpuTimes.query < engineTimes.query;
      this.#webgpu = webgpu;
      this.#choose("webgpu", null);
    } catch (error) {
      this.#giveUp(webgpu, `WebGPU failed: ${EncoderError.from(error).message}`);
    } finally {
      this.#comparison = null;
    }
  }

  #giveUp(webgpu: PagePool, reason: string): void {
    if (this.#disposed || this.#pool !== webgpu) return;
    this.#pool = null;
    this.#webgpu = null;
    this.#candidate = null;
    this.#queriesOnWebgpu = false;
    void webgpu.dispose();
    this.#choose("wasm", reason);
  }

  #choose(device: WebDevice, reason: string | null): void {
    if (!this.#disposed) this.#options.onChoice({ device, reason, workers: device === "webgpu" ? 1 : this.#options.workers });
  }
}

/** Times of a pool in ms, for a sample of bulk text and for a query. Each is measured after a run that compiles its shaders. */
async function timesOf(pool: PagePool, sample: readonly string[]): Promise<{ sample: number; query: number }> {
  const timeOf = async (call: () => Promise<unknown>) => {
    await call();
    const start = performance.now();
    await call();
    return performance.now() - start;
  };
  return {
    sample: await timeOf(() => pool.embed(sample)),
    query: await timeOf(() => pool.embed(sampleQuery, { inputType: "query" })),
  };
}

function joined(parts: readonly Embeddings[]): Embeddings {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  return {
    vectors: parts.flatMap(({ vectors }) => vectors),
    tokens: parts.flatMap(({ tokens }) => tokens),
    truncated: parts.flatMap(({ truncated }) => truncated),
    time: meanTime(parts.flatMap(({ time, tokens }) => tokens.map(() => time))),
  };
}
