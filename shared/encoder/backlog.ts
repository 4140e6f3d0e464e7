import { EncoderError } from "../errors.ts";
import type { Progress } from "./encoder.ts";
import { interactiveShare } from "./queue.ts";

/** Limits of the pending work. */
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

/** Tokens per second of one worker until a rate is measured: the rate of a slow core. */
const assumedRate = 2_000;

/**
 * Counts and limits the pending work of an encoder. A request is admitted or rejected as a whole, before any of its texts is computed. An
 * empty backlog admits a request of any size: otherwise a large one would be rejected forever.
 * @example
 * const backlog = new Backlog({ maxTokens: 100_000 });
 * backlog.add([12, 80], { bulk: false, workers: 2 });
 * backlog.remove([12], { computed: true, workers: 2 });
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
   * Adds a request. Throws `overloaded` with `details.retryAfter` if it exceeds the limits.
   * @param tokens estimated tokens of each text
   * @param workers number of workers that compute concurrently
   * @param ready number of workers that have loaded. Default: all.
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
   * Removes texts that are computed or cancelled.
   * @param computed whether the texts count for the rate
   */
  remove(tokens: readonly number[], { computed, workers }: { readonly computed: boolean; readonly workers: number }): void {
    const found = sum(tokens);
    this.#count(-tokens.length, -found, computed ? found : 0, workers);
  }

  #count(texts: number, tokens: number, computed: number, workers: number): void {
    this.#texts += texts;
    this.#tokens += tokens;
    // Only while all workers are busy does the rate measure capacity rather than demand.
    this.#rate.count(computed, workers > 0 && this.#texts > workers);
  }
}

/** Time constant of the exponential weight, in ms: older measurements count for about a third or less. */
const memory = 30_000;

/** Minimum measured time in ms before a rate is reported. */
const minMeasured = 1_000;

/** Tokens per second, exponentially weighted in favour of recent work. */
class Throughput {
  /** End of the counted time; null while time is not counted. */
  #countedUntil: number | null = null;
  #milliseconds = 0;
  #tokens = 0;

  /** The rate; null until enough time is measured. */
  get tokensPerSecond(): number | null {
    return this.#milliseconds < minMeasured || this.#tokens === 0 ? null : (this.#tokens / this.#milliseconds) * 1e3;
  }

  /**
   * @param tokens tokens computed since the last call
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
