import { createEncoder } from "../api/encoder.ts";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/search/fusion.ts";
import { readIndexFile } from "../shared/search/index-file.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { VectorIndex } from "../shared/search/vector-index.ts";
import { type Collection, cranfieldCollection, normalizedGain } from "./cranfield.ts";
import type { SearchBenchmark } from "./results.ts";

export interface SearchBenchmarkOptions {
  readonly rounds: number;
  /** A few documents and a small index: to see that it runs. */
  readonly quick: boolean;
  readonly onProgress: (line: string) => void;
}

const modes: readonly SearchMode[] = ["hybrid", "meaning", "words"];
const scanQueries = 50;
const found = 10;

/** How well the search finds on Cranfield in each mode, and how fast and how exactly it finds vectors. */
export async function measureSearch({ rounds, quick, onProgress }: SearchBenchmarkOptions): Promise<Omit<SearchBenchmark, "environment">> {
  const collection = await cranfieldCollection();
  const documents = collection.documents.filter(({ text }) => text !== "").slice(0, quick ? 40 : undefined);
  const encoder = createEncoder();
  try {
    const engine = new SearchEngine(encoder);
    await engine.load();
    await engine.add(
      documents.map(({ number, title, text }) => ({ id: String(number), title, kind: "abstract", text })),
      { onProgress: ({ done, total }) => done % 320 === 0 && onProgress(`search: ${done} of ${total} passages embedded`) },
    );
    const quality = [];
    for (const mode of modes) quality.push({ mode, ...(await qualityOf(engine, mode, collection)) });
    const file = await engine.exportIndex();
    const { vectors } = await readIndexFile(file);
    const queries = await queryVectors(encoder, collection);
    const scans = [];
    for (const size of quick ? [1000, 10_000] : [1000, 10_000, 100_000]) {
      scans.push(measureScans(vectors, queries, size, rounds));
      onProgress(`search: ${size} vectors scanned`);
    }
    return { rounds, documents: documents.length, passages: engine.size, fileBytes: file.length, quality, scans };
  } finally {
    await encoder.dispose();
  }
}

/** nDCG@10 with a gain of 2^relevance - 1, of the queries with odd numbers and of those with even ones. */
async function qualityOf(engine: SearchEngine, mode: SearchMode, { queries, judgments }: Collection) {
  const sums = { odd: 0, even: 0 };
  const counts = { odd: 0, even: 0 };
  for (const { number, text } of queries) {
    // A dash before a word would exclude it. The queries use it as punctuation.
    const { results } = await engine.search(`${text.replaceAll(/(^|\s)-/g, "$1 ")} `, { mode, limit: 5 * found });
    const ranked = [...new Set(results.map(({ document }) => Number(document.id)))];
    const half = number % 2 === 1 ? "odd" : "even";
    sums[half] += normalizedGain(ranked, judgments.get(number) ?? new Map());
    counts[half] += 1;
  }
  return { chosenOn: sums.odd / counts.odd, reported: sums.even / counts.even };
}

async function queryVectors(encoder: Encoder, { queries }: Collection): Promise<Float32Array[]> {
  const spread = queries.filter((_, i) => i % Math.floor(queries.length / scanQueries) === 0).slice(0, scanQueries);
  const { vectors } = await encoder.embed(
    spread.map(({ text }) => text),
    { kind: "query" },
  );
  return vectors;
}

/** The index as it is used against a full scan of the same vectors: time per query, and how much of the best ten it finds. */
function measureScans(real: readonly Float32Array[], queries: readonly Float32Array[], size: number, rounds: number) {
  const dimensions = real[0]?.length ?? 1;
  const used = new VectorIndex<number>(dimensions);
  const full = new VectorIndex<number>(dimensions, { exactUpTo: Number.POSITIVE_INFINITY });
  for (const [key, vector] of perturbed(real, size)) {
    used.set(key, vector);
    full.set(key, vector);
  }
  const times = { used: [] as number[], full: [] as number[] };
  let same = 0;
  for (let round = 0; round < rounds; round++) {
    for (const query of queries) {
      const start = performance.now();
      const matches = used.search(query, found);
      const middle = performance.now();
      const best = new Set(full.search(query, found).map(({ key }) => key));
      times.full.push(performance.now() - middle);
      times.used.push(middle - start);
      same += matches.filter(({ key }) => best.has(key)).length;
    }
  }
  return { vectors: size, recall: same / (found * queries.length * rounds), used: percentiles(times.used), full: percentiles(times.full) };
}

/** How far a made vector is from the real one that it is made of: a cosine of 0.89. Passages of real texts are seldom so near. */
const noise = 0.5;

/** The real vectors, then copies with noise, always the same. */
function* perturbed(real: readonly Float32Array[], size: number): Iterable<[number, Float32Array]> {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let key = 0; key < size; key++) {
    const origin = real[key % real.length] ?? new Float32Array();
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
function percentiles(times: readonly number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95) };
}
