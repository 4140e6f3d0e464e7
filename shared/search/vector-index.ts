/** A key of the index and how near its vector is. */
export interface Match<Key> {
  readonly key: Key;
  /** Dot product with the query: for L2-normalized vectors the cosine of the angle between them. */
  readonly score: number;
}

/**
 * Vectors by key, searched exactly: every vector is compared. They lie in one contiguous array, so that a scan runs at
 * the speed of memory; removal moves the last one into the gap. Vectors are expected to be L2-normalized, and to come
 * from models of one fingerprint: the index cannot tell.
 */
export class VectorIndex<Key> {
  readonly dimensions: number;
  /** [capacity, dimensions] float32; the first `size` rows are in use, and row i belongs to `#keys[i]`. */
  #vectors: Float32Array<ArrayBuffer>;
  readonly #keys: Key[] = [];
  readonly #rows = new Map<Key, number>();

  /** @param capacity vectors to make room for; the index grows by itself */
  constructor(dimensions: number, capacity = 64) {
    if (!Number.isInteger(dimensions) || dimensions < 1) {
      throw new RangeError(`VectorIndex: dimensions must be a whole number of at least 1, not ${dimensions}`);
    }
    this.dimensions = dimensions;
    this.#vectors = new Float32Array(capacity * dimensions);
  }

  get size(): number {
    return this.#keys.length;
  }

  keys(): IterableIterator<Key> {
    return this.#rows.keys();
  }

  /** Copies the vector in; a key that is there already gets the new one. Throws `RangeError` for another length. */
  set(key: Key, vector: Float32Array): void {
    this.#checkLength(vector);
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.size;
      this.#reserve(row + 1);
      this.#keys.push(key);
      this.#rows.set(key, row);
    }
    this.#vectors.set(vector, row * this.dimensions);
  }

  /** Whether there was something to remove. */
  delete(key: Key): boolean {
    const row = this.#rows.get(key);
    if (row === undefined) return false;
    const last = this.size - 1;
    this.#vectors.copyWithin(row * this.dimensions, last * this.dimensions, this.size * this.dimensions);
    this.#keys[row] = this.#keys[last] as Key; // there is one: this row's, or a later one's
    this.#rows.set(this.#keys[row], row);
    this.#rows.delete(key);
    this.#keys.pop();
    return true;
  }

  /** The `limit` nearest, best first; all of them when there are fewer. Throws `RangeError` for another length. */
  search(query: Float32Array, limit: number): Match<Key>[] {
    this.#checkLength(query);
    const nearest: Match<Key>[] = [];
    if (limit < 1) return nearest;
    let threshold = Number.NEGATIVE_INFINITY;
    for (const [row, key] of this.#keys.entries()) {
      const score = dotProduct(query, this.#vectors, row * this.dimensions);
      if (nearest.length >= limit && score <= threshold) continue;
      // Few rows pass the threshold once the list is full, so that keeping it sorted costs next to nothing.
      let place = nearest.length;
      while (place > 0 && (nearest[place - 1]?.score ?? 0) < score) place--;
      nearest.splice(place, 0, { key, score });
      if (nearest.length > limit) nearest.pop();
      threshold = nearest.at(-1)?.score ?? threshold;
    }
    return nearest;
  }

  #reserve(rows: number): void {
    const needed = rows * this.dimensions;
    if (needed <= this.#vectors.length) return;
    const larger = new Float32Array(Math.max(needed, 2 * this.#vectors.length));
    larger.set(this.#vectors);
    this.#vectors = larger;
  }

  #checkLength(vector: Float32Array): void {
    if (vector.length !== this.dimensions) {
      throw new RangeError(`VectorIndex: the vector has ${vector.length} dimensions, the index ${this.dimensions}`);
    }
  }
}

/**
 * The dot product of `a` with as many components of `b`, from `start` on; `b` must have them. Four sums, because with one
 * every addition waits for the one before it: two thirds of the time at 384 dimensions.
 */
export function dotProduct(a: Float32Array, b: Float32Array, start = 0): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let i = 0;
  // Every index is in range, so that none gives undefined.
  for (; i + 3 < a.length; i += 4) {
    sum0 += (a[i] as number) * (b[start + i] as number);
    sum1 += (a[i + 1] as number) * (b[start + i + 1] as number);
    sum2 += (a[i + 2] as number) * (b[start + i + 2] as number);
    sum3 += (a[i + 3] as number) * (b[start + i + 3] as number);
  }
  for (; i < a.length; i++) sum0 += (a[i] as number) * (b[start + i] as number);
  return sum0 + sum1 + sum2 + sum3;
}
