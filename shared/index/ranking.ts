/** A passage of a segment and its score. */
export interface Ranked {
  readonly segment: number;
  readonly passage: number;
  readonly score: number;
}

/** Keeps the best `limit` scores. Of equal scores, those that were added first are kept. */
export class TopScores {
  readonly #limit: number;
  /** A binary heap with the worst at its root. */
  readonly #items: number[] = [];
  readonly #scores: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A score that is not above this is not kept. */
  get threshold(): number {
    return this.#items.length < this.#limit ? Number.NEGATIVE_INFINITY : (this.#scores[0] ?? Number.POSITIVE_INFINITY);
  }

  /** Items must be added in ascending order. */
  add(item: number, score: number): void {
    const { length } = this.#items;
    if (length < this.#limit) {
      this.#items.push(item);
      this.#scores.push(score);
      this.#up(length);
    } else if (score > (this.#scores[0] ?? Number.POSITIVE_INFINITY)) {
      this.#items[0] = item;
      this.#scores[0] = score;
      this.#down();
    }
  }

  /** The kept items, best first. */
  sorted(): { readonly item: number; readonly score: number }[] {
    return this.#items.map((item, i) => ({ item, score: this.#scores[i] ?? 0 })).sort((a, b) => b.score - a.score || a.item - b.item);
  }

  #isWorse(i: number, j: number): boolean {
    const difference = (this.#scores[i] ?? 0) - (this.#scores[j] ?? 0);
    return difference < 0 || (difference === 0 && (this.#items[i] ?? 0) > (this.#items[j] ?? 0));
  }

  #up(start: number): void {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#isWorse(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(): void {
    for (let i = 0; ; ) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < this.#items.length && this.#isWorse(child, worst)) worst = child;
      if (worst === i) return;
      this.#swap(i, worst);
      i = worst;
    }
  }

  #swap(i: number, j: number): void {
    for (const list of [this.#items, this.#scores]) {
      const kept = list[i] ?? 0;
      list[i] = list[j] ?? 0;
      list[j] = kept;
    }
  }
}
