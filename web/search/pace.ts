/** How far back the pace of the work is looked at, in ms. */
const window = 15_000;

/** How fast something goes on. */
export class Pace {
  #counts: { readonly at: number; readonly done: number }[] = [];

  /** Tells how much is done by now. What was undone begins anew. */
  count(done: number): void {
    const at = performance.now();
    if (done < (this.#counts.at(-1)?.done ?? 0)) this.#counts = [];
    this.#counts = [...this.#counts.filter((count) => at - count.at < window), { at, done }];
  }

  /** Null until it can be told. */
  get perSecond(): number | null {
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    if (!(first && last) || last.at - first.at < 500) return null;
    return (1000 * (last.done - first.done)) / (last.at - first.at) || null;
  }
}
