import { readFile } from "node:fs/promises";
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { CachedEncoder } from "../api/node/cache.ts";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/search/fusion.ts";
import { type Library, type LibraryHeader, readLibrary } from "../shared/search/library.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { Child } from "./child.ts";
import { cranfieldAbstracts, cranfieldQueries } from "./cranfield.ts";
import type { EncodeAnswer, EncodeJob } from "./encode-child.ts";
import type { EngineAnswer, EngineJob } from "./engine-child.ts";
import { measureScans } from "./index-scans.ts";
import { spreadOf } from "./statistics.ts";

/** A figure that a busy machine changes little, because both its parts are measured on it, one after the other. */
export interface Ratio {
  readonly id: string;
  /** What it is, for whoever reads that it got worse. */
  readonly says: string;
  /** The share of what was kept that it may fall to. Wide where a busy machine disturbs one part more than the other. */
  readonly room: number;
  /** More is better. @param round its texts are others than those of the rounds before */
  measure(round: number): Promise<number>;
}

/** The ratios among our own parts, and what they are measured on. */
export class Ratios implements AsyncDisposable {
  readonly all: readonly Ratio[];
  readonly #encoders: readonly Encoder[];
  readonly #children: readonly Child[];

  private constructor(all: readonly Ratio[], encoders: readonly Encoder[], children: readonly Child[]) {
    this.all = all;
    this.#encoders = encoders;
    this.#children = children;
  }

  static async open(): Promise<Ratios> {
    const [one, two] = [createEncoder({ workers: 1 }), createEncoder({ workers: 2 })];
    const encoders = [one, two];
    await Promise.all(encoders.map((encoder) => encoder.load()));
    while (two.info().workers.ready < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const abstracts = await cranfieldAbstracts();
    const queries = await cranfieldQueries();
    const library = await builtInLibrary();
    const [engine, onnxRuntime] = [new Child("engine-child.js"), new Child("engine-child.js")];
    return new Ratios(
      [
        workers(two),
        longTexts(one),
        shortTexts(one, queries),
        cache(one, abstracts),
        codes(library),
        meaning(one, library),
        secondWorker(abstracts),
        await engineSpeed(engine, onnxRuntime),
      ],
      encoders,
      [engine, onnxRuntime],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const encoder of this.#encoders) await encoder.dispose();
    for (const child of this.#children) await child[Symbol.asyncDispose]();
  }
}

const secondsOf = async (task: () => unknown): Promise<number> => {
  const start = performance.now();
  await task();
  return (performance.now() - start) / 1e3;
};

/** Processor time of all threads: what others do on the machine hardly counts in it. */
const cpuSecondsOf = async (task: () => unknown): Promise<number> => {
  const before = process.cpuUsage();
  await task();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

/** As many texts as `count`, others in each round. */
const textsOf = (texts: readonly string[], count: number, round: number) =>
  Array.from({ length: count }, (_, i) => `${round} ${texts[(round * count + i) % texts.length]}`);

/** Words of a text that takes long enough for a worker to be noticed at it. */
const pairWords = 250;

/**
 * How soon the first of two texts of one length is done, as a share of the time for both: near 1 where two workers compute
 * them at once, 0.5 where one waits for the other. Texts per second would tell less: on a busy machine two threads get
 * no more than one.
 */
const workers = (two: Encoder): Ratio => ({
  id: "two-workers",
  says: "time for the first of two texts that come together, of the time for both",
  room: 0.72,
  async measure(round) {
    let [first, both] = [0, 0];
    for (let pair = 0; pair < 6; pair++) {
      const start = performance.now();
      const done = await Promise.all(
        ["one", "other"].map(async (word) => {
          await two.embed(`${round} ${pair} ${word}${" word".repeat(pairWords)}`);
          return performance.now() - start;
        }),
      );
      first += Math.min(...done);
      both += Math.max(...done);
    }
    return first / both;
  },
});

const longTexts = (encoder: Encoder): Ratio => {
  const textOf = (tokens: number) => "word ".repeat(tokens - 2); // beside [CLS] and [SEP]
  return {
    id: "long-texts",
    says: "tokens per second in texts of 512 tokens over those in texts of 64",
    room: 0.7,
    async measure() {
      const short = await cpuSecondsOf(() => encoder.embed(Array.from({ length: 16 }, () => textOf(64))));
      return short / (await cpuSecondsOf(() => encoder.embed([textOf(512), textOf(512)])));
    },
  };
};

/** Those of one length share runs, if they are handed over together. */
const shortTexts = (encoder: Encoder, queries: readonly string[]): Ratio => ({
  id: "short-texts",
  says: "speed on 75 queries that come together over that on others that come one by one",
  room: 0.85,
  async measure(round) {
    const [alone, together] = [textsOf(queries, 75, 2 * round), textsOf(queries, 75, 2 * round + 1)];
    const oneByOne = await cpuSecondsOf(async () => {
      for (const text of alone) await encoder.embed(text);
    });
    return oneByOne / (await cpuSecondsOf(() => encoder.embed(together)));
  },
});

const cache = (encoder: Encoder, abstracts: readonly string[]): Ratio => {
  const cached = new CachedEncoder(encoder, { maxBytes: 16 * 2 ** 20 });
  return {
    id: "cache",
    says: "speed on texts that were asked for before over that on new ones",
    room: 0.1,
    async measure(round) {
      const texts = textsOf(abstracts, 8, round);
      return (await secondsOf(() => cached.embed(texts))) / (await secondsOf(() => cached.embed(texts)));
    },
  };
};

const codes = ({ passageVectors, queryVectors }: Library): Ratio => ({
  id: "one-bit-codes",
  says: "speed of the index over that of a full scan, among 50,000 vectors",
  room: 0.5,
  async measure() {
    const { full, used } = measureScans({ real: passageVectors, queries: queryVectors, size: 50_000, rounds: 4 });
    return full.p50 / used.p50;
  },
});

const relevanceSchema = z.object({ answered: z.array(z.object({ query: z.string(), answer: z.string() })) });

/** The mean reciprocal rank of the answers, of words and meaning together over that of words: the same each time. */
const meaning = (encoder: Encoder, library: Library): Ratio => ({
  id: "hybrid-quality",
  says: "mean reciprocal rank of answers by words and meaning over that by words",
  room: 0.97,
  async measure() {
    const { answered } = relevanceSchema.parse(JSON.parse(await readText("tests/fixtures/relevance.json")));
    const engine = new SearchEngine(encoder, library);
    const rank = async (mode: SearchMode) => {
      let sum = 0;
      for (const { query, answer } of answered) {
        const { results } = await engine.search(query, { mode });
        const place = results.findIndex(({ document }) => document.id === answer);
        if (place >= 0) sum += 1 / (place + 1);
      }
      return sum / answered.length;
    };
    await engine.load();
    return (await rank("hybrid")) / (await rank("words"));
  },
});

/** The peak of a process with one worker over that with two. */
const secondWorker = (abstracts: readonly string[]): Ratio => ({
  id: "second-worker-memory",
  says: "peak memory with one worker over that with two",
  room: 0.8,
  async measure(round) {
    const peak = async (contender: string) => {
      await using child = new Child("encode-child.js");
      // Its own contenders need no model of peers.
      const job: EncodeJob = { contender, peer: { hub: "none" }, warmUp: ["a text"], texts: textsOf(abstracts, 4, round) };
      const answer = await child.ask<EncodeAnswer>(job);
      if (answer.outcome !== "measured") throw new Error(answer.reason);
      return answer.peakBytes;
    };
    return (await peak("pool-1")) / (await peak("pool-2"));
  },
});

/** By turns, in processor time: V8's register allocation decides it, so that another V8 may change it. */
async function engineSpeed(engine: Child, onnxRuntime: Child): Promise<Ratio> {
  const timeOf = async (child: Child, rival: EngineJob["rival"], times: number) =>
    (await child.ask<EngineAnswer>({ rival, lengths: [128], times } satisfies EngineJob)).cpuMs;
  // Until V8 has optimized the code.
  await timeOf(engine, "engine", 20);
  await timeOf(onnxRuntime, "onnxruntime-web", 20);
  return {
    id: "engine-speed",
    says: "speed of the WASM engine over that of ONNX Runtime Web, in Node, on texts of 128 tokens",
    room: 0.88,
    async measure() {
      const times = { engine: [] as number[], onnxRuntime: [] as number[] };
      for (let turn = 0; turn < 9; turn++) {
        times.engine.push(await timeOf(engine, "engine", 2));
        times.onnxRuntime.push(await timeOf(onnxRuntime, "onnxruntime-web", 2));
      }
      return spreadOf(times.onnxRuntime).median / spreadOf(times.engine).median;
    },
  };
}

const readText = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

async function builtInLibrary(): Promise<Library> {
  const header = JSON.parse(await readText("dist/library/library.json")) as LibraryHeader; // what the build wrote
  const packed = new Uint8Array(await readFile(new URL("../../dist/library/vectors.bin", import.meta.url)));
  return readLibrary(header, packed.buffer);
}
