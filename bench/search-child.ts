/** Process of one index, whose memory is measured: about `size` passages, generated from real ones. */
import { writeFile } from "node:fs/promises";
import { loadScan } from "../api/node/scan.ts";
import type { SearchMode } from "../shared/index/fusion.ts";
import { writeIndexFile } from "../shared/index/index-file.ts";
import { parseQuery } from "../shared/index/query.ts";
import { TopScores } from "../shared/index/ranking.ts";
import { SearchIndex } from "../shared/index/search-index.ts";
import { geometryOf, type ScanCodes, scanCodes, VectorCodec } from "../shared/index/vector-codes.ts";
import { openIndexFile } from "../shared/search/open-index-file.ts";
import { chunkDocument } from "../shared/search/passages.ts";
import { dotProduct } from "../shared/vector.ts";
import { answerMessages } from "./child.ts";
import { heapInUse, limit, Stopwatch, timesOf } from "./search-measures.ts";
import { measurePeer } from "./search-peers.ts";
import type { BuildJob, PeerSize, SearchJob, SearchSize } from "./search-protocol.ts";
import { grownTo, indexDocuments, perturbed } from "./search-texts.ts";

/** Documents that are added at once. */
const batchSize = 2000;

answerMessages(async (job: SearchJob | BuildJob): Promise<SearchSize | PeerSize | { readonly bytes: number }> => {
  if ("file" in job) {
    const { file } = await build(job);
    await writeFile(job.file, file);
    return { bytes: file.length };
  }
  return job.peer === null ? measure(job) : measurePeer(job, job.peer);
});

async function measure(job: SearchJob): Promise<SearchSize> {
  const scan = (await loadScan()) ?? scanCodes;
  const before = heapInUse();
  const { file, buildMs, writeMs } = await build(job);
  const opening = new Stopwatch();
  const index = new SearchIndex({ scan });
  await opening.time(async () => {
    for (const segment of (await openIndexFile(file)).segments) await index.add(segment);
  });
  const search = (mode: SearchMode) =>
    timesOf(job, ({ text, vector }) => index.search(parseQuery(text), mode === "keyword" ? null : vector, { mode, limit }));
  const [keyword, semantic, hybrid] = [await search("keyword"), await search("semantic"), await search("hybrid")];
  const memoryBytes = heapInUse() - before;
  return {
    ...{ size: job.size, passages: index.size, buildMs, writeMs, openMs: opening.ms },
    ...{ keyword, semantic, hybrid, memoryBytes, fileBytes: file.length },
    recall: recallOf(job, scan),
  };
}

/** Builds an index and returns its file, so that nothing else of it stays in memory. Texts and vectors are generated between the times. */
async function build(job: SearchJob) {
  const codec = new VectorCodec(geometryOf(job.vectors[0]?.length ?? 1));
  const index = new SearchIndex();
  index.expectDimensions(codec.geometry.dimensions);
  const vectors = perturbed(job.vectors);
  const [building, writing] = [new Stopwatch(), new Stopwatch()];
  for (const documents of grownTo(job, batchSize)) {
    const chunked = await building.time(() => Promise.all(documents.map((document) => chunkDocument(document))));
    const known = chunked.flatMap(({ passages }) => passages.map(() => vectors.next().value));
    await building.time(() => index.put(indexDocuments(chunked, known, codec)));
  }
  const { geometry } = index;
  const file = await writing.time(async () =>
    writeIndexFile({ fingerprint: "0".repeat(64), geometry, segments: [await index.snapshot()] }),
  );
  return { file, buildMs: building.ms, writeMs: writing.ms };
}

/** Compares the best ten by codes with those by float32, over the generated vectors. */
function recallOf({ vectors, queries, size }: SearchJob, scan: ScanCodes): number {
  const codec = new VectorCodec(geometryOf(vectors[0]?.length ?? 1));
  const codes = new Uint8Array(size * codec.bytes);
  const scales = new Float32Array(size);
  const exact = queries.map(({ vector }) => ({ vector, top: new TopScores(limit) }));
  const generated = perturbed(vectors);
  for (let row = 0; row < size; row++) {
    const vector = generated.next().value;
    const { code, scale } = codec.encode(vector);
    codes.set(code, row * codec.bytes);
    scales[row] = scale;
    for (const query of exact) query.top.add(row, dotProduct(query.vector, vector));
  }
  const products = new Int32Array(size);
  let same = 0;
  for (const { vector, top } of exact) {
    scan(codes, codec.bytes, codec.encodeQuery(vector).components, codec.geometry.levels, products);
    const byCodes = new TopScores(limit);
    for (let row = 0; row < size; row++) byCodes.add(row, (products[row] ?? 0) * (scales[row] ?? 0));
    const best = new Set(top.sorted().map(({ item }) => item));
    same += byCodes.sorted().filter(({ item }) => best.has(item)).length;
  }
  return same / (limit * queries.length);
}
