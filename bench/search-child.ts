/** Process of one search, whose memory is measured: about `size` passages, generated from real ones. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SearchMode } from "../shared/search/fusion.ts";
import type { Document } from "../shared/search/library.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { answerMessages } from "./child.ts";
import type { SearchJob, SearchSize } from "./search-protocol.ts";
import { measureScans, perturbed, uniformNumbers } from "./search-vectors.ts";
import { percentiles } from "./statistics.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

answerMessages(async (job: SearchJob): Promise<SearchSize> => {
  const { documents, passages, vectors, queries, size, rounds } = job;
  const before = memoryInUse();
  const engine = await engineOver(job);
  const building = performance.now();
  await engine.add([...grown(documents, Math.round((size * documents.length) / passages))]);
  const buildMs = performance.now() - building;
  const memoryBytes = memoryInUse() - before;
  const query = async (mode: SearchMode) => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const { text } of queries) times.push((await engine.search(text, { mode })).scanTime);
    }
    return percentiles(times);
  };
  const byMode = { keyword: await query("keyword"), semantic: await query("semantic"), hybrid: await query("hybrid") };
  const file = await engine.exportIndex();
  const queryVectors = queries.map(({ vector }) => vector);
  const nearest = measureScans(vectors, queryVectors, size, rounds);
  return { passages: engine.size, buildMs, query: byMode, memoryBytes, fileBytes: file.length, nearest };
});

/** Creates the search with an encoder that returns known vectors without computing. */
async function engineOver({ model, vectors, queries }: SearchJob): Promise<SearchEngine> {
  const made = perturbed(vectors);
  const asked = new Map(queries.map(({ text, vector }) => [text.trim(), Float32Array.from(vector)]));
  const engine = new SearchEngine({
    load: async () => model,
    async embed(texts, { inputType } = {}) {
      const list = [texts].flat();
      const none = list.map(() => 0);
      const found = list.map((text) => (inputType === "query" ? asked.get(text) : undefined) ?? made.next().value);
      return { vectors: found, tokens: none, truncated: none, time: { queue: 0, inference: 0 } };
    },
  });
  await engine.load();
  return engine;
}

/**
 * The real documents, then copies in which three of ten words are replaced by words of the collection. The vocabulary does not grow, so
 * the lists of passages per word are longer than those of real texts.
 */
function* grown(documents: readonly Document[], count: number): Iterable<Document> {
  const words = documents.map(({ text }) => text.split(/(?<=\s)/));
  const all = words.flat();
  const uniform = uniformNumbers();
  for (let i = 0; i < count; i++) {
    const place = i % documents.length;
    const [origin, own] = [documents[place], words[place]];
    if (!(origin && own)) return;
    const changed = own.map((word) => (uniform() < 0.3 ? all[Math.floor(uniform() * all.length)] : word));
    yield { ...origin, id: String(i), text: i < documents.length ? origin.text : changed.join("") };
  }
}

/** JavaScript heap and external buffers, in bytes. */
function memoryInUse(): number {
  // The second collection frees buffers of objects that the first one collected.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
