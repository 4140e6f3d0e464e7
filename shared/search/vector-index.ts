/** A key of the index and how near its vector is. */
export interface Match<Key> {
  readonly key: Key;
  /** Dot product with the query: for L2-normalized vectors the cosine of the angle between them. */
  readonly score: number;
}

export interface VectorIndexOptions {
  /** Up to so many vectors, each is compared in full. Default 4,096: some 1.3 ms at 384 dimensions on one quiet core. */
  readonly exactUpTo?: number;
  /**
   * Of more vectors, the share whose codes are nearest is compared in full, but at least 1,000. Default 0.05: with it
   * the ten nearest are found in at least 99 of 100 cases, among 100,000 vectors that lie closer together than those of
   * real texts (`npm run bench -- search`).
   */
  readonly candidateShare?: number;
}

export interface VectorSearchOptions<Key> {
  /** Keys that may be found. Default all. */
  readonly accept?: ((key: Key) => boolean) | undefined;
}

/** Rows that share two buffers: vectors [rows, dimensions] float32, and codes [rows, words] of one bit a component. */
interface Block {
  vectors: Float32Array<ArrayBuffer>;
  codes: Int32Array<ArrayBuffer>;
}

/** Rows per block, so that the index grows without copying and a block is at most 6.3 MB at 384 dimensions. */
const rowsPerBlock = 4096;
const firstRows = 64;
const fewestCandidates = 1000;

/**
 * Vectors by key. A small index compares every one in full. A larger one first compares codes, the components' signs, by
 * how many differ (a thirty-second of the memory, and no multiplication), then the best of them in full: scores are exact
 * in either case, and nothing has to be rebuilt when vectors come and go. Removal moves the last one into the gap.
 *
 * Vectors are expected to be L2-normalized, and to come from models of one fingerprint: the index cannot tell.
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

  /** A view of a key's vector, which is good until the index is changed; null when there is none. */
  get(key: Key): Float32Array<ArrayBuffer> | null {
    const row = this.#rows.get(key);
    return row === undefined ? null : this.#vectorAt(row);
  }

  /** Copies the vector in; a key that is there already gets the new one. Throws `RangeError` for another length. */
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

  /** Whether there was something to remove. */
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

  /** The `limit` nearest, best first; all of them when there are fewer. Throws `RangeError` for another length. */
  search(query: Float32Array, limit: number, { accept }: VectorSearchOptions<Key> = {}): Match<Key>[] {
    this.#checkLength(query);
    if (limit < 1) return [];
    const nearest = new Nearest<Key>(limit);
    const candidates = Math.max(fewestCandidates, limit, Math.ceil(this.size * this.#candidateShare));
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

  /** The rows whose codes differ least from the query's, in the order of rows. */
  #nearestCodes(query: Float32Array, count: number, accept: VectorSearchOptions<Key>["accept"]): number[] {
    const queryCode = writeCode(query, new Int32Array(this.#words));
    const distances = new Uint16Array(this.size);
    // How many rows have each distance; what is not accepted has one that none can have.
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

  /** Makes room for one more row. Only the first block grows by copying: most indexes are far smaller than a block. */
  #reserve(row: number): void {
    const place = row % rowsPerBlock;
    const block = this.#blocks[Math.floor(row / rowsPerBlock)];
    if (!block) {
      const rows = row === 0 ? firstRows : rowsPerBlock;
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

/** The best so far, best first. Few rows get in once it is full, so that keeping it sorted costs next to nothing. */
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

/** Writes which components are positive, 32 to a word, and returns the code. */
function writeCode(vector: Float32Array, code: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  code.fill(0);
  for (const [i, component] of vector.entries()) if (component > 0) code[i >> 5] = (code[i >> 5] ?? 0) | (1 << (i & 31));
  return code;
}

/** In how many bits `a` differs from as many words of `b`, from `start` on; `b` must have them. */
function hammingDistance(a: Int32Array, b: Int32Array, start: number): number {
  let distance = 0;
  for (let i = 0; i < a.length; i++) {
    // The ones of a word, added up in pairs, in fours, in bytes, and the bytes by a product.
    let bits = (a[i] as number) ^ (b[start + i] as number);
    bits = (bits - ((bits >>> 1) & 0x55555555)) | 0;
    bits = ((bits & 0x33333333) + ((bits >>> 2) & 0x33333333)) | 0;
    distance += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return distance;
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
