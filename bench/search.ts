import { createEncoder } from "../api/node/encoder.ts";
import { encodeVector } from "../shared/vector.ts";
import type { Encoder } from "../shared/encoder/encoder.ts";
import { readIndexFile } from "../shared/search/index-file.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { Child } from "./child.ts";
import type { PeerModel } from "./contenders/contender.ts";
import { type Collection, cranfieldCollection } from "./cranfield.ts";
import { openPage } from "./devices/chromium.ts";
import { measureScans } from "./index-scans.ts";
import { PageServer } from "./page-server.ts";
import type { IndexSizeJob } from "./search-child.ts";
import type { IndexSize, Scan, SearchBenchmark } from "./search-results.ts";

export interface SearchBenchmarkOptions {
  readonly rounds: number;
  /** A few documents and small indexes: to see that it runs. */
  readonly quick: boolean;
  readonly peer: PeerModel;
  readonly onProgress: (line: string) => void;
}

const queriesAsked = 50;

/** What the search costs as it grows: vectors alone, here and in Chromium, and all of it with its words, memory and file. */
export async function measureSearch({
  rounds,
  quick,
  peer,
  onProgress,
}: SearchBenchmarkOptions): Promise<Omit<SearchBenchmark, "environment">> {
  const sizes = quick ? [1000, 10_000] : [1000, 3000, 10_000, 30_000, 100_000];
  const material = await embedded(quick ? 40 : undefined, onProgress);
  const { passages, vectors: real } = material;
  const queries = material.queries.map(({ vector }) => vector);

  const scans = sizes.map((size) => {
    onProgress(`search: among ${size} vectors`);
    return measureScans({ real, queries, size, rounds });
  });
  const inChromium = await scansInChromium({ real, queries, rounds, sizes }, peer, onProgress);
  const ofSizes: IndexSize[] = [];
  for (const size of sizes) {
    await using child = new Child("search-child.js");
    ofSizes.push(await child.ask<IndexSize>({ ...material, size, rounds } satisfies IndexSizeJob));
    onProgress(`search: ${ofSizes.at(-1)?.passages} passages built and searched`);
  }
  return { rounds, passages, scans, inChromium, sizes: ofSizes };
}

type Material = Omit<IndexSizeJob, "size" | "rounds">;

/** Cranfield's abstracts, cut into passages and embedded, and some of its queries. */
async function embedded(count: number | undefined, onProgress: SearchBenchmarkOptions["onProgress"]): Promise<Material> {
  const collection = await cranfieldCollection();
  const documents = collection.documents
    .filter(({ text }) => text !== "")
    .slice(0, count)
    .map(({ number, title, text }) => ({ id: String(number), title, kind: "abstract", text }));
  const encoder = createEncoder();
  try {
    const model = await encoder.load();
    const engine = new SearchEngine(encoder);
    await engine.add(documents, {
      onProgress: ({ done, total }) => done % 320 === 0 && onProgress(`search: ${done} of ${total} embedded`),
    });
    const { vectors } = await readIndexFile(await engine.exportIndex());
    return { model, documents, passages: engine.size, vectors, queries: await embeddedQueries(encoder, collection) };
  } finally {
    await encoder.dispose();
  }
}

async function embeddedQueries(encoder: Encoder, { queries }: Collection): Promise<Material["queries"]> {
  const spread = queries.filter((_, i) => i % Math.floor(queries.length / queriesAsked) === 0).slice(0, queriesAsked);
  const { vectors } = await encoder.embed(
    spread.map(({ text }) => text),
    { inputType: "query" },
  );
  return spread.map(({ text }, i) => ({ text, vector: vectors[i] ?? new Float32Array() }));
}

async function scansInChromium(
  { real, queries, rounds, sizes }: { real: readonly Float32Array[]; queries: readonly Float32Array[]; rounds: number; sizes: number[] },
  peer: PeerModel,
  onProgress: SearchBenchmarkOptions["onProgress"],
): Promise<SearchBenchmark["inChromium"]> {
  await using server = await PageServer.start(peer);
  await using opened = await openPage(server, "wasm");
  const packed = { real: real.map(encodeVector), queries: queries.map(encodeVector), rounds };
  const scans: Scan[] = [];
  for (const size of sizes) {
    onProgress(`search: among ${size} vectors in Chromium`);
    scans.push(await opened.page.evaluate((scan) => benchPage.scan(scan), { ...packed, size }));
  }
  return { browser: opened.version, scans };
}
