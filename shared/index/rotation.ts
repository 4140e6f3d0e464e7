/**
 * A fixed pseudorandom rotation. After it, the components of any normalized vector are close to normally distributed with variance
 * 1 / dimensions, so one set of levels suits every vector and dimension.
 *
 * Each round flips signs, permutes the components and applies Hadamard transforms to blocks of them (Ailon and Chazelle, 2009, "The fast
 * Johnson-Lindenstrauss transform"). Additions and multiplications in a fixed order give the same bits on every platform.
 */
export class Rotation {
  readonly dimensions: number;
  readonly #block: number;
  readonly #rounds: readonly Round[];

  /** @param seed unsigned 32-bit integer; rotations of the same seed are equal */
  constructor(dimensions: number, seed: number) {
    this.dimensions = dimensions;
    // The largest power of two that divides the dimensions: 128 for 384.
    this.#block = dimensions & -dimensions;
    const mixing = this.#block > 1 ? Math.ceil(Math.log(dimensions) / Math.log(this.#block)) : 1;
    const random = randomIntegers(seed);
    this.#rounds = Array.from({ length: mixing + 1 }, () => randomRound(dimensions, random));
  }

  /** The rotated vector. Throws `RangeError` for another number of dimensions. */
  apply(vector: Float32Array): Float64Array {
    if (vector.length !== this.dimensions) throw new RangeError(`The vector has ${vector.length} dimensions, not ${this.dimensions}`);
    let current = Float64Array.from(vector);
    let next = new Float64Array(this.dimensions);
    for (const { source, signs } of this.#rounds) {
      for (let i = 0; i < next.length; i++) next[i] = (current[source[i] ?? 0] ?? 0) * (signs[i] ?? 1);
      for (let start = 0; start < next.length; start += this.#block) hadamard(next, start, this.#block);
      [current, next] = [next, current];
    }
    return current;
  }
}

interface Round {
  /** The component that moves to each place. */
  readonly source: Uint32Array;
  /** 1 or -1. */
  readonly signs: Int8Array;
}

function randomRound(dimensions: number, random: () => number): Round {
  const source = Uint32Array.from({ length: dimensions }, (_, i) => i);
  for (let i = dimensions - 1; i > 0; i--) {
    const j = random() % (i + 1);
    const kept = source[i] ?? 0;
    source[i] = source[j] ?? 0;
    source[j] = kept;
  }
  return { source, signs: Int8Array.from({ length: dimensions }, () => ((random() & 0x8000) === 0 ? 1 : -1)) };
}

/** The normalized Walsh-Hadamard transform of `length` components, a power of two, in place. */
function hadamard(values: Float64Array, start: number, length: number): void {
  for (let half = 1; half < length; half *= 2) {
    for (let i = start; i < start + length; i += 2 * half) {
      for (let j = i; j < i + half; j++) {
        const a = values[j] ?? 0;
        const b = values[j + half] ?? 0;
        values[j] = a + b;
        values[j + half] = a - b;
      }
    }
  }
  const scale = 1 / Math.sqrt(length);
  for (let i = start; i < start + length; i++) values[i] = (values[i] ?? 0) * scale;
}

/** Unsigned 32-bit pseudorandom integers (Mulberry32). */
function randomIntegers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
