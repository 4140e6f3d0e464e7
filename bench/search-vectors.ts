import { VectorIndex } from "../shared/search/vector-index.ts";
import { percentiles } from "./statistics.ts";

/** Results per query, which are compared with a full scan. */
const wanted = 10;

/** Compares the vector index with a full scan: ms per query, and recall of the best ten. */
export function measureScans(real: readonly Float32Array[], queries: readonly Float32Array[], size: number, rounds: number) {
  const dimensions = real[0]?.length ?? 1;
  const index = new VectorIndex<number>(dimensions);
  const full = new VectorIndex<number>(dimensions, { exactUpTo: Number.POSITIVE_INFINITY });
  const vectors = perturbed(real);
  for (let key = 0; key < size; key++) {
    const vector = vectors.next().value;
    index.set(key, vector);
    full.set(key, vector);
  }
  const times = { index: [] as number[], full: [] as number[] };
  let same = 0;
  for (let round = 0; round < rounds; round++) {
    for (const query of queries) {
      const start = performance.now();
      const matches = index.search(query, wanted);
      const middle = performance.now();
      const best = new Set(full.search(query, wanted).map(({ key }) => key));
      times.full.push(performance.now() - middle);
      times.index.push(middle - start);
      same += matches.filter(({ key }) => best.has(key)).length;
    }
  }
  return { recall: same / (wanted * queries.length * rounds), index: percentiles(times.index), full: percentiles(times.full) };
}

/** A generated vector has a cosine of 0.89 to its real vector. Real passages are seldom as similar. */
const noise = 0.5;

/** The real vectors, then an endless sequence of copies with noise. Deterministic. */
export function* perturbed(real: readonly Float32Array[]): Generator<Float32Array<ArrayBuffer>, never> {
  const uniform = uniformNumbers();
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let place = 0; ; place++) {
    const origin = Float32Array.from(real[place % real.length] ?? []);
    if (place < real.length) {
      yield origin;
      continue;
    }
    const vector = origin.map((component) => component + (noise * normal()) / Math.sqrt(origin.length));
    const norm = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0));
    yield vector.map((component) => component / norm);
  }
}

/** Pseudorandom numbers in (0, 1). Deterministic. */
export function uniformNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}
