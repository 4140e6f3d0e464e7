import { EncoderError } from "../errors.ts";
import type { Progress } from "./encoder.ts";

/** How much work may be pending. */
export interface BacklogLimits {
  /** Maximum estimated tokens that are queued or being computed. Default: no limit. */
  readonly maxTokens?: number | undefined;
  /** Maximum ms until all pending work is computed, by the measured rate. Default: no limit. */
  readonly maxWait?: number | undefined;
}

interface AddOptions {
  readonly bulk: boolean;
  readonly workers: number;
  readonly ready?: number;
}

/** The part of the limits that bulk requests leave to interactive ones. */
const interactiveShare = 0.1;

/** Tokens per second of one worker, until a rate has been measured: those of a slow core. */
const assumedRate = 2_000;

/**
 * The pending work of an encoder, and its bounds. A request is admitted as a whole or rejected as a whole, before any of it is computed,
 * with `overloaded` and `details.retryAfter`. An empty backlog admits a request of any size: it would never be computed otherwise.
 */
export class Backlog {
  readonly #maxTokens: number;
  readonly #maxWait: number;
  readonly #rate = new Throughput();
  #texts = 0;
  #tokens = 0;

  constructor({ maxTokens = Number.POSITIVE_INFINITY, maxWait = Number.POSITIVE_INFINITY }: BacklogLimits) {
    this.#maxTokens = maxTokens;
    this.#maxWait = maxWait;
  }

  get pending(): Progress {
    return { texts: this.#texts, tokens: this.#tokens };
  }

  /**
   * Adds a request. Throws `overloaded` when it does not fit.
   * @param tokens estimated tokens of each text
   * @param workers how many compute at the same time
   * @param ready how many of them have loaded. Default: all.
   */
  add(tokens: readonly number[], { bulk, workers, ready = workers }: AddOptions): void {
    const found = sum(tokens);
    const rate = this.#rate.tokensPerSecond ?? assumedRate * Math.max(1, workers);
    const limit = Math.floor(Math.min(this.#maxTokens, (rate * this.#maxWait) / 1e3));
    const excess = this.#tokens + found - limit * (bulk ? 1 - interactiveShare : 1);
    if (this.#texts > 0 && excess > 0) {
      const retryAfter = Math.max(1, Math.ceil(Math.min(this.#tokens, excess) / rate));
      const message = `The queue is full: about ${this.#tokens} tokens are pending. Retry in ${retryAfter} s`;
      throw new EncoderError("overloaded", message, { retryAfter, limit, found: this.#tokens });
    }
    this.#count(tokens.length, found, 0, ready);
  }

  /**
   * Removes texts that are computed, or that are no longer wanted.
   * @param computed whether they count for the rate
   */
  remove(tokens: readonly number[], { computed, workers }: { readonly computed: boolean; readonly workers: number }): void {
    const found = sum(tokens);
    this.#count(-tokens.length, -found, computed ? found : 0, workers);
  }

  #count(texts: number, tokens: number, computed: number, workers: number): void {
    this.#texts += texts;
    this.#tokens += tokens;
    // Only while all workers are busy does the rate tell how much can be computed, and not how much was asked for.
    this.#rate.count(computed, workers > 0 && this.#texts > workers);
  }
}

/** Measurements older than this many ms count for a third or less. */
const memory = 30_000;

/** Minimum measured time in ms before a rate is reported. */
const enough = 1_000;

/** Tokens per second, exponentially weighted in favour of recent work. */
class Throughput {
  /** Until when time was counted; null while it is not counted. */
  #countedUntil: number | null = null;
  #milliseconds = 0;
  #tokens = 0;

  /** Above 0; null until enough was measured. */
  get tokensPerSecond(): number | null {
    return this.#milliseconds < enough || this.#tokens === 0 ? null : (this.#tokens / this.#milliseconds) * 1e3;
  }

  /**
   * @param tokens computed since the last call
   * @param saturated whether the time until the next call counts
   */
  count(tokens: number, saturated: boolean): void {
    const now = performance.now();
    if (this.#countedUntil !== null) {
      const elapsed = now - this.#countedUntil;
      const kept = Math.exp(-elapsed / memory);
      this.#milliseconds = this.#milliseconds * kept + elapsed;
      this.#tokens = this.#tokens * kept + tokens;
    }
    this.#countedUntil = saturated ? now : null;
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
