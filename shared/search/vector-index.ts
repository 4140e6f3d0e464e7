/** A key of the index and the score of its vector. */
export interface Match<Key> {
  readonly key: Key;
  /** Dot product with the query: for L2-normalized vectors the cosine of the angle between them. */
  readonly score: number;
}

export interface VectorIndexOptions {
  /** Up to this size the search is exact. Default 4,096: about 1.3 ms at 384 dimensions on one core. */
  readonly exactUpTo?: number;
  /**
   * In a larger index, the share of vectors that is compared in full after the comparison of binary codes; at least 1,000 vectors.
   * Default 0.05: recall@10 is at least 0.99 among 100,000 vectors that are closer together than those of real texts
   * (`npm run bench -- search`).
   */
  readonly candidateShare?: number;
}

export interface VectorSearchOptions<Key> {
  /** Filters keys. Default all. */
  readonly accept?: ((key: Key) => boolean) | undefined;
}

/** Rows in two buffers: vectors [rows, dimensions] float32, and binary codes [rows, words] with one bit per component. */
interface Block {
  vectors: Float32Array<ArrayBuffer>;
  codes: Int32Array<ArrayBuffer>;
}

/** The index grows by blocks of this many rows, without copying: 6.3 MB at 384 dimensions. */
const rowsPerBlock = 4096;
const initialRows = 64;
const minCandidates = 1000;

/**
 * Vectors by key. A small index is searched exactly. A larger one first ranks binary codes (the components' signs) by Hamming
 * distance, which needs 1/32 of the memory, and then compares the best candidates in full: scores are exact in both cases. Vectors
 * can be added and removed at any time; a removal moves the last row into the gap.
 *
 * Vectors must be L2-normalized and of one model: the index does not check it.
 */
export class VectorIndex<Key> {
  readonly dimensions: number;
  readonly #exactUpTo: number;
  readonly #candidateShare: number;
  /** 32-bit words of a code. */
  readonly #words: number;
  readonly #blocks: Block[] = [];
  /** Row i, counted through all blocks, belongs to `#keys[i]`. */
  readonly #keys: Key[] = [];
  readonly #rows = new Map<Key, number>();

  constructor(dimensions: number, { exactUpTo = rowsPerBlock, candidateShare = 0.05 }: VectorIndexOptions = {}) {
    if (!Number.isInteger(dimensions) || dimensions < 1) {
      throw new RangeError(`VectorIndex: dimensions must be a whole number of at least 1, not ${dimensions}`);
    }
    this.dimensions = dimensions;
    this.#exactUpTo = exactUpTo;
    this.#candidateShare = candidateShare;
    this.#words = Math.ceil(dimensions / 32);
  }

  get size(): number {
    return this.#keys.length;
  }

  keys(): IterableIterator<Key> {
    return this.#rows.keys();
  }

  has(key: Key): boolean {
    return this.#rows.has(key);
  }

  /** A view of a key's vector, valid until the index changes; null when there is none. */
  get(key: Key): Float32Array<ArrayBuffer> | null {
    const row = this.#rows.get(key);
    return row === undefined ? null : this.#vectorAt(row);
  }

  /** Copies a vector; replaces the one of the same key. Throws `RangeError` for another length. */
  set(key: Key, vector: Float32Array): void {
    this.#checkLength(vector);
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.size;
      this.#reserve(row);
      this.#keys.push(key);
      this.#rows.set(key, row);
    }
    this.#vectorAt(row).set(vector);
    writeCode(vector, this.#codeAt(row));
  }

  /** Whether the key was present. */
  delete(key: Key): boolean {
    const row = this.#rows.get(key);
    if (row === undefined) return false;
    const last = this.size - 1;
    this.#vectorAt(row).set(this.#vectorAt(last));
    this.#codeAt(row).set(this.#codeAt(last));
    this.#keys[row] = this.#keys[last] as Key; // there is one: this row's, or a later one's
    this.#rows.set(this.#keys[row], row);
    this.#rows.delete(key);
    this.#keys.pop();
    if (last % rowsPerBlock === 0) this.#blocks.pop();
    return true;
  }

  /** Up to `limit` nearest keys, best first. Throws `RangeError` for another length. */
  search(query: Float32Array, limit: number, { accept }: VectorSearchOptions<Key> = {}): Match<Key>[] {
    this.#checkLength(query);
    if (limit < 1) return [];
    const nearest = new Nearest<Key>(limit);
    const candidates = Math.max(minCandidates, limit, Math.ceil(this.size * this.#candidateShare));
    if (this.size <= this.#exactUpTo || this.size <= candidates) this.#scan(query, nearest, accept);
    else for (const row of this.#nearestCodes(query, candidates, accept)) this.#offer(query, row, nearest);
    return nearest.matches;
  }

  #scan(query: Float32Array, nearest: Nearest<Key>, accept: VectorSearchOptions<Key>["accept"]): void {
    let row = 0;
    for (const { vectors } of this.#blocks) {
      const rows = Math.min(rowsPerBlock, this.size - row);
      for (let i = 0; i < rows; i++, row++) {
        const score = dotProduct(query, vectors, i * this.dimensions);
        if (!nearest.takes(score)) continue;
        const key = this.#keys[row] as Key; // every row below `size` has one
        if (!accept || accept(key)) nearest.add(key, score);
      }
    }
  }

  #offer(query: Float32Array, row: number, nearest: Nearest<Key>): void {
    const block = this.#blocks[Math.floor(row / rowsPerBlock)] as Block; // of a row that is there
    const score = dotProduct(query, block.vectors, (row % rowsPerBlock) * this.dimensions);
    if (nearest.takes(score)) nearest.add(this.#keys[row] as Key, score);
  }

  /** The rows with the smallest Hamming distances to the query, in row order. */
  #nearestCodes(query: Float32Array, count: number, accept: VectorSearchOptions<Key>["accept"]): number[] {
    const queryCode = writeCode(query, new Int32Array(this.#words));
    const distances = new Uint16Array(this.size);
    // Rows by distance. Rows that are not accepted have an impossible distance.
    const histogram = new Uint32Array(this.dimensions + 1);
    const refused = this.dimensions + 1;
    let row = 0;
    for (const { codes } of this.#blocks) {
      const rows = Math.min(rowsPerBlock, this.size - row);
      for (let i = 0; i < rows; i++, row++) {
        if (accept && !accept(this.#keys[row] as Key)) {
          distances[row] = refused;
          continue;
        }
        const distance = hammingDistance(queryCode, codes, i * this.#words);
        distances[row] = distance;
        histogram[distance] = (histogram[distance] ?? 0) + 1;
      }
    }
    let farthest = 0;
    let below = 0;
    while (farthest < this.dimensions && below + (histogram[farthest] ?? 0) < count) {
      below += histogram[farthest] ?? 0;
      farthest += 1;
    }
    let leftAtFarthest = count - below;
    const rows: number[] = [];
    for (let i = 0; i < distances.length; i++) {
      const distance = distances[i] as number; // i is in range
      if (distance < farthest) rows.push(i);
      else if (distance === farthest && leftAtFarthest > 0) {
        rows.push(i);
        leftAtFarthest -= 1;
      }
    }
    return rows;
  }

  #vectorAt(row: number): Float32Array<ArrayBuffer> {
    const start = (row % rowsPerBlock) * this.dimensions;
    return (this.#blocks[Math.floor(row / rowsPerBlock)] as Block).vectors.subarray(start, start + this.dimensions);
  }

  #codeAt(row: number): Int32Array<ArrayBuffer> {
    const start = (row % rowsPerBlock) * this.#words;
    return (this.#blocks[Math.floor(row / rowsPerBlock)] as Block).codes.subarray(start, start + this.#words);
  }

  /** Makes room for one row. Only the first block grows by copying: most indexes are far smaller than a block. */
  #reserve(row: number): void {
    const place = row % rowsPerBlock;
    const block = this.#blocks[Math.floor(row / rowsPerBlock)];
    if (!block) {
      const rows = row === 0 ? initialRows : rowsPerBlock;
      this.#blocks.push({ vectors: new Float32Array(rows * this.dimensions), codes: new Int32Array(rows * this.#words) });
    } else if (place * this.dimensions >= block.vectors.length) {
      const vectors = new Float32Array(2 * block.vectors.length);
      const codes = new Int32Array(2 * block.codes.length);
      vectors.set(block.vectors);
      codes.set(block.codes);
      Object.assign(block, { vectors, codes });
    }
  }

  #checkLength(vector: Float32Array): void {
    if (vector.length !== this.dimensions) {
      throw new RangeError(`VectorIndex: the vector has ${vector.length} dimensions, the index ${this.dimensions}`);
    }
  }
}

/** The best matches so far, best first. Few rows enter once it is full, so insertion sort is cheap. */
class Nearest<Key> {
  readonly matches: Match<Key>[] = [];
  readonly #limit: number;
  #threshold = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  takes(score: number): boolean {
    return this.matches.length < this.#limit || score > this.#threshold;
  }

  add(key: Key, score: number): void {
    const { matches } = this;
    let place = matches.length;
    while (place > 0 && (matches[place - 1]?.score ?? 0) < score) place--;
    matches.splice(place, 0, { key, score });
    if (matches.length > this.#limit) matches.pop();
    if (matches.length === this.#limit) this.#threshold = matches.at(-1)?.score ?? this.#threshold;
  }
}

/** Writes the bits of the positive components, 32 to a word, and returns the code. */
function writeCode(vector: Float32Array, code: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  code.fill(0);
  for (const [i, component] of vector.entries()) if (component > 0) code[i >> 5] = (code[i >> 5] ?? 0) | (1 << (i & 31));
  return code;
}

/** The number of bits in which `a` differs from the words of `b` from `start` on. */
function hammingDistance(a: Int32Array, b: Int32Array, start: number): number {
  let distance = 0;
  for (let i = 0; i < a.length; i++) {
    // Population count: sums of pairs, of fours, of bytes, and of the bytes by a multiplication.
    let bits = (a[i] as number) ^ (b[start + i] as number);
    bits = (bits - ((bits >>> 1) & 0x55555555)) | 0;
    bits = ((bits & 0x33333333) + ((bits >>> 2) & 0x33333333)) | 0;
    distance += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return distance;
}

/**
 * The dot product of `a` with the components of `b` from `start` on. Four independent sums: with one, each addition waits for the
 * previous one, and 384 dimensions take 1.5 times as long.
 */
export function dotProduct(a: Float32Array, b: Float32Array, start = 0): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let i = 0;
  // Every index is in range.
  for (; i + 3 < a.length; i += 4) {
    sum0 += (a[i] as number) * (b[start + i] as number);
    sum1 += (a[i + 1] as number) * (b[start + i + 1] as number);
    sum2 += (a[i + 2] as number) * (b[start + i + 2] as number);
    sum3 += (a[i + 3] as number) * (b[start + i + 3] as number);
  }
  for (; i < a.length; i++) sum0 += (a[i] as number) * (b[start + i] as number);
  return sum0 + sum1 + sum2 + sum3;
}
