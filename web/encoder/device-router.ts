import { abortable } from "../../shared/async.ts";
import { type Embeddings, type EmbedOptions, type EncoderInfo, meanTime, type Progress } from "../../shared/encoder/encoder.ts";
import { isInteractive } from "../../shared/encoder/queue.ts";
import { estimateTokens } from "../../shared/encoder/token-estimate.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { WebDevice } from "./download.ts";
import { increasing } from "./fallback-encoder.ts";
import type { PagePool } from "./page-pool.ts";

/** Which device computes bulk text, and why it is not WebGPU where that was considered; null otherwise. */
export interface DeviceChoice {
  readonly device: WebDevice;
  readonly reason: string | null;
  /** Workers that take any text, without those that are kept for queries. */
  readonly workers: number;
}

export interface DeviceRouterOptions {
  readonly engine: PagePool;
  /** Workers of the engine that take any text. */
  readonly workers: number;
  /**
   * Tokens of bulk text that come without a pause before WebGPU is fetched. By then the engine has computed for about as long as
   * fetching and starting WebGPU takes: whether or not as much text follows, the total is at most twice the least possible (the ski
   * rental problem: Karlin et al., 1988).
   */
  readonly webgpuThreshold: number;
  /** Why WebGPU cannot be used, in a sentence; null where it can. */
  readonly webgpuRefusal: () => Promise<string | null>;
  /** @param onFailure told the reason as soon as the device fails */
  readonly createWebgpuPool: (onFailure: (reason: string) => void) => PagePool;
  readonly onChoice: (choice: DeviceChoice) => void;
}

/** A bulk call is computed in slices of so many texts: the next slice may go to another device. */
const textsPerSlice = 256;

/** Bulk calls that follow each other within so many ms count as one stream of text. */
const pause = 10_000;

/** WebGPU takes over only where it takes at most this share of the engine's time, so that noise does not decide. */
const worthChanging = 0.8;

/** What both devices compute to be compared. */
const sampleTexts = 32;
const sampleQuery = "where is the key to the garden shed";

/**
 * Routes texts in a page. The engine loads and answers first. When much text has come, WebGPU is fetched, proves itself, is timed against
 * the engine on the same texts, and takes over bulk text if it is faster. Where it fails, the engine computes the same texts again: a
 * vector depends on its text alone.
 */
export class DeviceRouter {
  readonly #options: DeviceRouterOptions;
  /** WebGPU's, from its making until it is given up. */
  #pool: PagePool | null = null;
  /** The same, once it is chosen for bulk text. */
  #webgpu: PagePool | null = null;
  /** The same, once it is loaded and until it is compared. */
  #candidate: PagePool | null = null;
  #comparison: Promise<void> | null = null;
  #queriesOnWebgpu = false;
  #considering = false;
  /** Bulk tokens of the present stream, and when it last ended. */
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

  /** The engine's, with the device that computes bulk text. */
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
    if (this.#bulkCalls === 0 && performance.now() - this.#lastBulk > pause) this.#tokens = 0;
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

  /** While the engine has no other bulk text. It never rejects. */
  async #compare(webgpu: PagePool, sample: readonly string[]): Promise<void> {
    const { engine } = this.#options;
    try {
      if (this.#bulkCalls > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
      const webgpuTimes = await timesOf(webgpu, sample);
      const engineTimes = await timesOf(engine, sample);
      // It may have failed while the engine computed.
      if (this.#pool !== webgpu) return;
      if (webgpuTimes.sample > engineTimes.sample * worthChanging) {
        return this.#giveUp(webgpu, "WebGPU was measured, and is slower than WASM here");
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

/** How long a pool takes, in ms, for a sample of bulk text and for a query: each after a run that compiles what it needs. */
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
