/** Cost of search by the number of passages, without embedding, beside other libraries; and quality of retrieval. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { loadScan } from "../api/node/scan.ts";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { Child } from "./child.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import {
  askedOf,
  type PeerSize,
  peerNames,
  peerSchema,
  queriesAsked,
  type SearchJob,
  type SearchSize,
  type SkippedPeer,
  sizeSchema,
  skippedSchema,
} from "./search-protocol.ts";
import {
  cranfieldCollection,
  evenQueries,
  everydayCollection,
  everydayQueries,
  modes,
  qualityOf,
  qualitySchema,
} from "./search-quality.ts";
import { formatPercentiles, table } from "./statistics.ts";

const schema = z.object({
  environment: environmentSchema,
  rounds: z.number(),
  sizes: z.array(sizeSchema).min(1),
  peers: z.array(peerSchema),
  skipped: z.array(skippedSchema),
  quality: z.array(qualitySchema),
});

type SearchResult = z.infer<typeof schema>;

/** Maximum seconds for a peer at one size, from the start of its process. */
const peerSeconds = 120;
const maxPeerSize = 100_000;

async function measure({ command, rounds, quick }: Plan): Promise<SearchResult> {
  const encoder = createEncoder();
  try {
    const cranfield = await cranfieldCollection(encoder, quick ? 100 : undefined);
    const { documents, vectors } = cranfield;
    log(`${vectors.length} passages embedded`);
    const scan = await loadScan();
    const quality = [...(await qualityOf(cranfield, scan)), ...(await qualityOf(await everydayCollection(encoder), scan))];
    const job = { documents, passages: vectors.length, vectors, ...askedOf(cranfield.queries), rounds };
    const found: Pick<SearchResult, "sizes" | "peers" | "skipped"> = { sizes: [], peers: [], skipped: [] };
    for (const size of quick ? [1000, 10_000] : [1000, 10_000, 30_000, 100_000, 300_000]) {
      found.sizes.push(await measureOwn({ ...job, peer: null, size }));
      log(`${size} passages searched`);
      for (const peer of size > maxPeerSize ? [] : peerNames) {
        const measured = await tryPeer({ ...job, peer, size });
        if ("reason" in measured) found.skipped.push(measured);
        else found.peers.push(measured);
        log(`${size} passages, ${peer}${"reason" in measured ? `: SKIPPED: ${measured.reason}` : ""}`);
      }
    }
    const packages = ["onnxruntime-node", "minisearch", "@orama/orama", "@sqlite.org/sqlite-wasm"];
    return { environment: await describeEnvironment(command, packages), rounds, ...found, quality };
  } finally {
    await encoder.dispose();
  }
}

async function measureOwn(job: SearchJob): Promise<SearchSize> {
  await using child = new Child("search-child.js");
  return await child.ask<SearchSize>(job);
}

/** A peer that takes too long, or whose process runs out of memory, is skipped. */
async function tryPeer(job: SearchJob & { readonly peer: PeerSize["peer"] }): Promise<PeerSize | SkippedPeer> {
  await using child = new Child("search-child.js");
  const late = sleep(peerSeconds * 1e3, null, { ref: false });
  const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const answer = await Promise.race([child.ask<PeerSize>(job).catch(reason), late]);
  if (answer !== null && typeof answer === "object") return answer;
  return { peer: job.peer, size: job.size, reason: answer ?? `it took longer than ${peerSeconds} s` };
}

const seconds = (ms: number) => (ms / 1e3).toFixed(2);
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
const count = (passages: number) => passages.toLocaleString("en");

function costTable(sizes: SearchResult["sizes"]): string {
  const head = ["keyword, ms", "semantic, ms", "hybrid, ms", "build, s", "write, s", "open, s", "memory, MB", "file, MB", "recall of ten"];
  const rows = sizes.map((size) => [
    count(size.passages),
    ...modes.map((mode) => formatPercentiles(size[mode])),
    ...[size.buildMs, size.writeMs, size.openMs].map(seconds),
    ...[size.memoryBytes, size.fileBytes].map(megabytes),
    size.recall.toFixed(3),
  ]);
  return table(["passages", ...head], rows);
}

function peerTable({ rounds, sizes, peers, skipped }: SearchResult): string {
  const fewer = (asked: number) => (asked < rounds * queriesAsked ? ` (${asked} queries)` : "");
  const rows = sizes.flatMap(({ size, passages, keyword, buildMs, memoryBytes, fileBytes }) => {
    const own = [
      count(passages),
      "**Samevec**, with vectors",
      formatPercentiles(keyword),
      seconds(buildMs),
      megabytes(memoryBytes),
      megabytes(fileBytes),
    ];
    const others = peers.filter((each) => each.size === size);
    const missing = skipped.filter((each) => each.size === size);
    return [
      ...(others.length + missing.length > 0 ? [own] : []),
      ...others.map((each) => [
        ...[
          count(each.passages),
          each.peer,
          `${formatPercentiles(each.keyword)}${fewer(each.keyword.asked)}`,
          seconds(each.buildMs),
          megabytes(each.memoryBytes),
        ],
        each.serializedBytes === null ? "over 512" : megabytes(each.serializedBytes),
      ]),
      ...missing.map(({ peer, reason }) => [count(size), peer, `skipped: ${reason}`]),
    ];
  });
  return table(["passages", "", "keyword, ms", "build, s", "memory, MB", "serialized, MB"], rows);
}

function qualityTable(quality: SearchResult["quality"]): string {
  const rows = quality.map(({ set, queries, means, lead }) => [
    ...[set, String(queries), ...modes.map((mode) => means[mode].toFixed(3))],
    `${lead.mean.toFixed(3)} (${lead.low.toFixed(3)} to ${lead.high.toFixed(3)})`,
  ]);
  return table(["queries", "number", ...modes, "lead of hybrid"], rows);
}

export const search = defineBenchmark({
  name: "search",
  schema,
  measure,
  report(result) {
    const { rounds, sizes, quality } = result;
    const large = sizes.filter(({ size }) => size === 100_000);
    const limit = (says: string, figure: (size: SearchSize) => number, most: number, unit: string, digits = 1) =>
      claimThat(says, large.map(figure), { most, unit, digits });
    const highest = (set: string) => quality.filter((each) => each.set === set).map(({ lead }) => lead.high);
    const lead = "of hybrid's lead over the better other mode is not below 0";
    return {
      title: "Search",
      sections: [
        `p50 / p95 per query without its embedding, ${queriesAsked} queries ${rounds} times, ten results, in Node. Passages are those of Cranfield and copies with noise. Recall is that of the 4-bit codes against float32.`,
        costTable(sizes),
        "Keyword search of other libraries over the same passages, which they keep, too. Their build does not include splitting.",
        peerTable(result),
        "Quality, nDCG@10. Parameters were chosen on the odd and the open queries. The lead is that over the better other mode, with its 95 % interval.",
        qualityTable(quality),
      ],
      claims: [
        ...limit("Among 100,000 passages, a keyword query takes at most 15 ms (p95)", ({ keyword }) => keyword.p95, 15, "ms"),
        ...limit("… and a hybrid query at most 30 ms (p95)", ({ hybrid }) => hybrid.p95, 30, "ms"),
        ...limit("Their index file opens within 1.5 s", ({ openMs }) => openMs / 1e3, 1.5, "s", 2),
        ...limit("… takes at most 200 MB of memory", ({ memoryBytes }) => memoryBytes / 1e6, 200, "MB", 0),
        ...limit("… has at most 90 MB", ({ fileBytes }) => fileBytes / 1e6, 90, "MB"),
        ...limit("… and is built within 40 s", ({ buildMs }) => buildMs / 1e3, 40, "s"),
        ...[evenQueries, everydayQueries].flatMap((set) =>
          claimThat(`${set}: the upper end (97.5 %) ${lead}`, highest(set), { least: 0, digits: 3, unit: "nDCG@10" }),
        ),
      ],
    };
  },
});
