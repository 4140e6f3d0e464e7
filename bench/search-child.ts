/** Process of one index, whose memory is measured: about `size` passages, generated from real ones. */
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SearchMode } from "../shared/index/fusion.ts";
import { readIndexFile, writeIndexFile } from "../shared/index/index-file.ts";
import { parseQuery } from "../shared/index/query.ts";
import { compileScan } from "../shared/index/scan.ts";
import { SearchIndex } from "../shared/index/search-index.ts";
import { type CodeGeometry, geometryOf, scanCodes, VectorCodec } from "../shared/index/vector-codes.ts";
import { chunkDocument } from "../shared/search/passages.ts";
import { dotProduct } from "../shared/vector.ts";
import { answerMessages } from "./child.ts";
import { miniSearchOver, oramaOver, type PeerPassage } from "./search-peers.ts";
import type { PeerSize, SearchJob, SearchSize } from "./search-protocol.ts";
import { grown, perturbed } from "./search-texts.ts";
import { percentiles } from "./statistics.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Hits per query. */
const limit = 10;

/** Documents that are added at once. */
const batch = 2000;

answerMessages(async (job: SearchJob): Promise<SearchSize | PeerSize> => (job.peer === null ? measure(job) : measurePeer(job, job.peer)));

async function measure(job: SearchJob): Promise<SearchSize> {
  const scan = await compileScan(Uint8Array.from(await readFile(new URL("../engine/scan.wasm", import.meta.url))));
  const building = performance.now();
  let built: SearchIndex | null = await build(job);
  const buildMs = performance.now() - building;
  let file: Uint8Array<ArrayBuffer> | null = await writeIndexFile({
    fingerprint: "0".repeat(64),
    geometry: built.geometry,
    segments: [await built.snapshot()],
  });
  const fileBytes = file.length;
  built = null;

  const index = new SearchIndex(scan ? { scan } : {});
  const opening = performance.now();
  for (const segment of (await readIndexFile(file)).segments) await index.add(segment);
  const openMs = performance.now() - opening;
  file = null;
  const memoryBytes = memoryInUse();
  const timesOf = (mode: SearchMode) =>
    timed(job, ({ text, vector }) =>
      index.search(parseQuery(`${text} `), mode === "keyword" ? null : Float32Array.from(vector), { mode, limit }),
    );
  const keyword = await timesOf("keyword");
  return {
    ...{ passages: index.size, buildMs, openMs, memoryBytes, fileBytes, keyword },
    semantic: await timesOf("semantic"),
    hybrid: await timesOf("hybrid"),
    recall: recallOf(job, index.geometry ?? geometryOf(job.vectors[0]?.length ?? 1)),
  };
}

async function build(job: SearchJob): Promise<SearchIndex> {
  const index = new SearchIndex();
  const vectors = perturbed(job.vectors);
  const codec = new VectorCodec(geometryOf(job.vectors[0]?.length ?? 1));
  index.expectDimensions(codec.geometry.dimensions);
  let documents: Parameters<SearchIndex["put"]>[0][number][] = [];
  for (const source of grownTo(job)) {
    const { document, passages } = await chunkDocument(source);
    documents.push({ ...document, passages: passages.map((passage) => ({ ...passage, code: codec.encode(vectors.next().value) })) });
    if (documents.length < batch) continue;
    await index.put(documents);
    documents = [];
  }
  await index.put(documents);
  return index;
}

async function measurePeer(job: SearchJob, name: PeerSize["peer"]): Promise<PeerSize> {
  const before = memoryInUse();
  const building = performance.now();
  const passages: PeerPassage[] = [];
  for (const source of grownTo(job)) {
    const { document, passages: chunks } = await chunkDocument(source);
    for (const { start, end } of chunks) {
      passages.push({ id: `${document.id} ${start}`, title: document.title, text: document.text.slice(start, end) });
    }
  }
  const peer = name === "MiniSearch" ? miniSearchOver(passages) : await oramaOver(passages);
  const buildMs = performance.now() - building;
  const memoryBytes = memoryInUse() - before;
  const keyword = await timed(job, ({ text }) => peer.search(text, limit));
  return { peer: name, passages: passages.length, buildMs, keyword, memoryBytes, fileBytes: peer.fileBytes() };
}

const grownTo = ({ documents, passages, size }: SearchJob) => grown(documents, Math.round((size * documents.length) / passages));

async function timed({ queries, rounds }: SearchJob, search: (query: SearchJob["queries"][number]) => unknown) {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const query of queries) {
      const start = performance.now();
      await search(query);
      times.push(performance.now() - start);
    }
  }
  return percentiles(times);
}

/** Compares codes with float32 over the generated vectors. */
function recallOf({ vectors, queries, size }: SearchJob, geometry: CodeGeometry): number {
  const codec = new VectorCodec(geometry);
  const codes = new Uint8Array(size * codec.bytes);
  const scales = new Float32Array(size);
  const exact = queries.map(() => new Float64Array(size));
  const generated = perturbed(vectors);
  for (let row = 0; row < size; row++) {
    const vector = generated.next().value;
    const { code, scale } = codec.encode(vector);
    codes.set(code, row * codec.bytes);
    scales[row] = scale;
    for (const [i, query] of queries.entries()) exact[i]?.fill(dotProduct(query.vector, vector), row, row + 1);
  }
  let same = 0;
  for (const [i, query] of queries.entries()) {
    const products = new Int32Array(size);
    scanCodes(codes, codec.bytes, codec.encodeQuery(Float32Array.from(query.vector)).components, geometry.levels, products);
    const best = new Set(bestOf(exact[i] ?? new Float64Array()));
    same += bestOf(Float64Array.from(products, (product, row) => product * (scales[row] ?? 0))).filter((row) => best.has(row)).length;
  }
  return same / (10 * queries.length);
}

/** The rows of the ten highest scores. */
const bestOf = (scores: Float64Array) =>
  Array.from(scores.keys())
    .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
    .slice(0, 10);

/** JavaScript heap and external buffers, in bytes. */
function memoryInUse(): number {
  // The second collection frees buffers of objects that the first one collected.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
