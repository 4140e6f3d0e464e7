/** What is older than that counts for a third and less, in ms. */
const memory = 30_000;

/** How much must have been seen before a rate is told, in ms. */
const enough = 1_000;

/**
 * Tokens a second that can be computed, exponentially weighted: recent work counts most. Measured only while there is
 * more to do than is done at once; what happens at other times says how much was asked for, not how much could be done.
 */
export class Throughput {
  /** Until when the time was counted; null while it does not count. */
  #countedUntil: number | null = null;
  #milliseconds = 0;
  #tokens = 0;

  /** Above 0; null until enough was seen. */
  get tokensPerSecond(): number | null {
    return this.#milliseconds < enough || this.#tokens === 0 ? null : (this.#tokens / this.#milliseconds) * 1e3;
  }

  /**
   * @param tokens computed since the last call
   * @param saturated whether the time from now on counts
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
