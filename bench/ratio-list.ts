import { readFile } from "node:fs/promises";
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { loadScan } from "../api/node/scan.ts";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/index/fusion.ts";
import { geometryOf, type ScanCodes, scanCodes, VectorCodec } from "../shared/index/vector-codes.ts";
import { type Library, type LibraryHeader, readLibrary } from "../shared/search/library.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { Child } from "./child.ts";
import { cranfieldDocuments, cranfieldQueries, textsOf } from "./cranfield.ts";
import type { EncodeAnswer, EncodeJob } from "./encode-child.ts";
import type { EngineAnswer, EngineJob } from "./engine-child.ts";
import { spreadOf } from "./statistics.ts";
import { ownCpuSeconds } from "./usage.ts";

/** A ratio of two parts, which are measured one after the other, so that load affects both. */
export interface Ratio {
  readonly id: string;
  readonly says: string;
  /** Minimum share of the stored value. Low if load affects one part more than the other. */
  readonly room: number;
  /** Higher is better. @param round each round uses different texts */
  measure(round: number): Promise<number>;
}

/** Opens the measured parts while `use` runs. */
export async function withRatios<Result>(use: (ratios: readonly Ratio[]) => Promise<Result>): Promise<Result> {
  const [one, two] = [createEncoder({ workers: 1 }), createEncoder({ workers: 2 })];
  await using engine = new Child("engine-child.js");
  await using onnxRuntime = new Child("engine-child.js");
  try {
    await Promise.all([one.load(), two.load()]);
    while (two.info().workers.ready < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const abstracts = textsOf(await cranfieldDocuments());
    const queries = textsOf(await cranfieldQueries());
    const library = await builtInLibrary();
    return await use([
      twoWorkers(two),
      shortTexts(one, queries),
      compiledScan(library),
      hybridQuality(one, library),
      secondWorkerMemory(abstracts),
      engineSpeed(engine, onnxRuntime),
    ]);
  } finally {
    await one.dispose();
    await two.dispose();
  }
}

/** Processor time of all threads, which hardly depends on other processes. */
async function cpuSecondsOf(task: () => unknown): Promise<number> {
  const before = ownCpuSeconds();
  await task();
  return ownCpuSeconds() - before;
}

/** Different texts in each round. */
const textsOfRound = (texts: readonly string[], count: number, round: number) =>
  Array.from({ length: count }, (_, i) => `${round} ${texts[(round * count + i) % texts.length]}`);

/**
 * Near 1 if two workers compute two texts of equal length in parallel, 0.5 if one waits for the other. Texts per second would be less
 * informative: on a busy machine, two threads may get no more time than one.
 */
const twoWorkers = (encoder: Encoder): Ratio => ({
  id: "two-workers",
  says: "time for the first of two texts that come together, of the time for both",
  room: 0.72,
  async measure(round) {
    let [first, both] = [0, 0];
    for (let pair = 0; pair < 6; pair++) {
      const start = performance.now();
      const done = await Promise.all(
        ["one", "other"].map(async (word) => {
          await encoder.embed(`${round} ${pair} ${word}${" word".repeat(250)}`);
          return performance.now() - start;
        }),
      );
      first += Math.min(...done);
      both += Math.max(...done);
    }
    return first / both;
  },
});

/** Concurrent texts of equal length share runs. */
const shortTexts = (encoder: Encoder, queries: readonly string[]): Ratio => ({
  id: "short-texts",
  says: "speed on 75 queries that come together over that on others that come one by one",
  room: 0.85,
  async measure(round) {
    const [alone, together] = [textsOfRound(queries, 75, 2 * round), textsOfRound(queries, 75, 2 * round + 1)];
    const oneByOne = await cpuSecondsOf(async () => {
      for (const text of alone) await encoder.embed(text);
    });
    return oneByOne / (await cpuSecondsOf(() => encoder.embed(together)));
  },
});

const compiledScan = ({ passageVectors, queryVectors }: Library): Ratio => ({
  id: "compiled-scan",
  says: "speed of the scan of 50,000 vector codes in WebAssembly over that in JavaScript",
  room: 0.5,
  async measure() {
    const compiled = await loadScan();
    if (!compiled) throw new Error("This host cannot run the scan in WebAssembly");
    const [first] = queryVectors;
    const codec = new VectorCodec(geometryOf(first?.length ?? 1));
    const codes = new Uint8Array(50_000 * codec.bytes);
    for (const [i, vector] of passageVectors.entries()) codes.set(codec.encode(vector).code, i * codec.bytes);
    const { components } = codec.encodeQuery(first ?? new Float32Array(1));
    const products = new Int32Array(50_000);
    const secondsOf = (scan: ScanCodes) =>
      cpuSecondsOf(async () => {
        for (let i = 0; i < 10; i++) scan(codes, codec.bytes, components, codec.geometry.levels, products);
      });
    return (await secondsOf(scanCodes)) / (await secondsOf(compiled));
  },
});

const relevanceSchema = z.object({ answered: z.array(z.object({ query: z.string(), answer: z.string() })) });

/** Deterministic. */
const hybridQuality = (encoder: Encoder, library: Library): Ratio => ({
  id: "hybrid-quality",
  says: "mean reciprocal rank of answers by words and meaning over that by words",
  room: 0.97,
  async measure() {
    const { answered } = relevanceSchema.parse(JSON.parse(await readText("tests/fixtures/relevance.json")));
    const engine = new SearchEngine(encoder, library);
    await engine.load();
    const reciprocalRanks = async (mode: SearchMode) => {
      let sum = 0;
      for (const { query, answer } of answered) {
        const { hits } = await engine.search(query, { mode });
        const place = hits.findIndex(({ id }) => id === answer);
        if (place >= 0) sum += 1 / (place + 1);
      }
      return sum;
    };
    return (await reciprocalRanks("hybrid")) / (await reciprocalRanks("keyword"));
  },
});

const secondWorkerMemory = (abstracts: readonly string[]): Ratio => ({
  id: "second-worker-memory",
  says: "peak memory with one worker over that with two",
  room: 0.8,
  async measure(round) {
    const peak = async (workers: number) => {
      await using child = new Child("encode-child.js");
      const texts = textsOfRound(abstracts, 4, round);
      const job: EncodeJob = { method: { workers }, peer: { hub: "none" }, warmUp: ["a text"], texts };
      const answer = await child.ask<EncodeAnswer>(job);
      if ("unavailable" in answer) throw new Error(answer.unavailable);
      return answer.figures.peakBytes;
    };
    return (await peak(1)) / (await peak(2));
  },
});

/** In turns, by processor time. The result depends on V8's register allocation, so another version of V8 may change it. */
const engineSpeed = (engine: Child, onnxRuntime: Child): Ratio => {
  const rivals = [
    { child: engine, rival: "engine" },
    { child: onnxRuntime, rival: "onnxruntime-web" },
  ] as const;
  const timesOf = async (times: number) => {
    const found: number[] = [];
    for (const { child, rival } of rivals) {
      found.push((await child.ask<EngineAnswer>({ rival, lengths: [128], times } satisfies EngineJob)).cpuMs);
    }
    return found;
  };
  return {
    id: "engine-speed",
    says: "speed of the WASM engine over that of ONNX Runtime Web, in Node, on texts of 128 tokens",
    room: 0.88,
    async measure(round) {
      // V8 optimizes the code during these calls.
      if (round === 0) await timesOf(20);
      const turns: number[][] = [];
      for (let turn = 0; turn < 9; turn++) turns.push(await timesOf(2));
      const [ours = Number.NaN, theirs = Number.NaN] = rivals.map((_, i) => spreadOf(turns.map((turn) => turn[i] ?? Number.NaN)).median);
      return theirs / ours;
    },
  };
};

const readText = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

async function builtInLibrary(): Promise<Library> {
  const header = JSON.parse(await readText("dist/library/library.json")) as LibraryHeader; // written by the build
  const packed = new Uint8Array(await readFile(new URL("../../dist/library/vectors.bin", import.meta.url)));
  return readLibrary(header, packed.buffer);
}
