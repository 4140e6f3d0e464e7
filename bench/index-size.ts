import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Model } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/search/fusion.ts";
import type { Document } from "../shared/search/library.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { percentiles, perturbed } from "./index-scans.ts";
import type { IndexSize } from "./search-results.ts";

export interface IndexSizeOptions {
  readonly model: Model;
  /** Documents of real texts, the passages that they are cut into, and vectors of those. */
  readonly documents: readonly Document[];
  readonly passages: number;
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly { readonly text: string; readonly vector: Float32Array }[];
  /** About how many passages to search among. */
  readonly size: number;
  readonly rounds: number;
}

/** Builds a search of about `size` passages, and measures it. Wants a process of its own: it looks at the memory of all of it. */
export async function measureIndexSize(options: IndexSizeOptions): Promise<IndexSize> {
  const { documents, passages, queries, size, rounds } = options;
  const before = memory();
  const engine = await engineOver(options);
  const count = Math.round((size * documents.length) / passages);
  const start = performance.now();
  await engine.add([...grown(documents, count)]);
  const buildMs = performance.now() - start;
  const after = memory();

  const query = async (mode: SearchMode) => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const { text } of queries) times.push((await engine.search(text, { mode })).scanTime);
    }
    return percentiles(times);
  };
  const times = { words: await query("words"), meaning: await query("meaning"), hybrid: await query("hybrid") };

  const writing = performance.now();
  const file = await engine.exportIndex();
  const writeMs = performance.now() - writing;
  const reader = await engineOver(options);
  const reading = performance.now();
  await reader.importIndex(file);
  const readMs = performance.now() - reading;
  if (reader.size !== engine.size) throw new Error(`The index file gave ${reader.size} of ${engine.size} passages back`);
  return {
    passages: engine.size,
    documents: count,
    buildMs,
    query: times,
    memory: { vectorBytes: after.buffers - before.buffers, otherBytes: after.heap - before.heap },
    file: { bytes: file.length, writeMs, readMs },
  };
}

/** The search with an encoder that knows every vector before. */
async function engineOver({ model, vectors, queries }: IndexSizeOptions): Promise<SearchEngine> {
  const made = perturbed(vectors, Number.POSITIVE_INFINITY);
  const asked = new Map(queries.map(({ text, vector }) => [text.trim(), Float32Array.from(vector)]));
  const nextVector = () => made.next().value?.[1] ?? new Float32Array(model.dimensions);
  const engine = new SearchEngine({
    load: async () => model,
    async embed(texts, { inputType } = {}) {
      const list = [texts].flat();
      const none = list.map(() => 0);
      const found = list.map((text) => (inputType === "query" ? asked.get(text) : undefined) ?? nextVector());
      return { vectors: found, tokens: none, truncated: none, time: { queue: 0, inference: 0 } };
    },
  });
  await engine.load();
  return engine;
}

/** Of a document's words, the share that is taken from elsewhere in the collection. */
const strangers = 0.3;

/**
 * The real documents, then others of the same lengths and with the same words in the same frequencies, always the same.
 * The vocabulary does not grow with them, as that of real texts would: lists of passages per word are longer than those.
 */
function* grown(documents: readonly Document[], count: number): Iterable<Document> {
  const words = documents.map(({ text }) => text.split(/(?<=\s)/));
  const all = words.flat();
  let state = 1;
  const below = (end: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  for (let i = 0; i < count; i++) {
    const origin = documents[i % documents.length];
    if (!origin) return;
    const own = words[i % documents.length] ?? [];
    const text =
      i < documents.length ? origin.text : own.map((word) => (below(1000) < strangers * 1000 ? all[below(all.length)] : word)).join("");
    yield { ...origin, id: String(i), text };
  }
}

let collectGarbage: (() => void) | null = null;

/** What is in use, in bytes: of JavaScript's heap, and of buffers outside it. */
function memory(): { heap: number; buffers: number } {
  if (!collectGarbage) {
    setFlagsFromString("--expose-gc");
    collectGarbage = runInNewContext("gc") as () => void;
  }
  // Buffers are let go only after the objects that owned them.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}
