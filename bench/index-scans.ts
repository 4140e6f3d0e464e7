import { VectorIndex } from "../shared/search/vector-index.ts";
import type { Scan } from "./search-results.ts";

/** How many are looked for, and compared with those that a full scan finds. */
const wanted = 10;

export interface ScanOptions {
  /** Of passages, and of queries. */
  readonly real: readonly Float32Array[];
  readonly queries: readonly Float32Array[];
  /** How many vectors to search among: the real ones, and copies of them with noise. */
  readonly size: number;
  readonly rounds: number;
}

/**
 * The index as it is used against a full scan of the same vectors: time per query, and how much of the best ten it finds.
 * Knows neither Node nor the DOM: it runs in a process, and in a page's worker.
 */
export function measureScans({ real, queries, size, rounds }: ScanOptions): Scan {
  const dimensions = real[0]?.length ?? 1;
  const used = new VectorIndex<number>(dimensions);
  const full = new VectorIndex<number>(dimensions, { exactUpTo: Number.POSITIVE_INFINITY });
  let building = 0;
  for (const [key, vector] of perturbed(real, size)) {
    const start = performance.now();
    used.set(key, vector);
    building += performance.now() - start;
    full.set(key, vector);
  }
  const times = { used: [] as number[], full: [] as number[] };
  let same = 0;
  for (let round = 0; round < rounds; round++) {
    for (const query of queries) {
      const start = performance.now();
      const matches = used.search(query, wanted);
      const middle = performance.now();
      const best = new Set(full.search(query, wanted).map(({ key }) => key));
      times.full.push(performance.now() - middle);
      times.used.push(middle - start);
      same += matches.filter(({ key }) => best.has(key)).length;
    }
  }
  return {
    vectors: size,
    recall: same / (wanted * queries.length * rounds),
    buildMs: building,
    used: percentiles(times.used),
    full: percentiles(times.full),
  };
}

/** How far a made vector is from the real one that it is made of: a cosine of 0.89. Passages of real texts are seldom so near. */
const noise = 0.5;

/** The real vectors, then copies with noise, always the same. */
export function* perturbed(real: readonly Float32Array[], size: number): Generator<[number, Float32Array<ArrayBuffer>]> {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let key = 0; key < size; key++) {
    const origin = Float32Array.from(real[key % real.length] ?? []);
    if (key < real.length) {
      yield [key, origin];
      continue;
    }
    const vector = origin.map((component) => component + (noise * normal()) / Math.sqrt(origin.length));
    const norm = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0));
    yield [key, vector.map((component) => component / norm)];
  }
}

/** In ms. */
export function percentiles(times: readonly number[]): { p50: number; p95: number } {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95) };
}
