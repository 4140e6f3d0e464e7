/** ms over which the rate is measured. */
const window = 15_000;

/** The rate of a process over the last seconds. */
export class Pace {
  #counts: { readonly at: number; readonly done: number }[] = [];

  /** Reports the total so far. A smaller total restarts the measurement. */
  count(done: number): void {
    const at = performance.now();
    if (done < (this.#counts.at(-1)?.done ?? 0)) this.#counts = [];
    this.#counts = [...this.#counts.filter((count) => at - count.at < window), { at, done }];
  }

  /** Null until it is known. */
  get perSecond(): number | null {
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    if (!(first && last) || last.at - first.at < 500) return null;
    return (1000 * (last.done - first.done)) / (last.at - first.at) || null;
  }
}
