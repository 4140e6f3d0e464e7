/** Cost of search by the number of passages, without embedding, beside other libraries; and quality of retrieval. */
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { embeddedText } from "../shared/search/library.ts";
import { chunkDocument } from "../shared/search/passages.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { Child } from "./child.ts";
import { cranfieldQueries, textsOf } from "./cranfield.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import {
  type PeerSize,
  peerSchema,
  peers,
  type percentilesSchema,
  type SearchJob,
  type SearchSize,
  sizeSchema,
} from "./search-protocol.ts";
import { cranfieldCollection, cranfieldQuality, everydayQuality, modes, qualitySchema } from "./search-quality.ts";
import { table } from "./statistics.ts";

const schema = z.object({
  environment: environmentSchema,
  rounds: z.number(),
  sizes: z.array(sizeSchema).min(1),
  peers: z.array(peerSchema),
  quality: z.array(qualitySchema),
});

const queriesAsked = 50;

/** The peers' build time grows with the number of passages: no larger sizes are measured. */
const maxPeerSize = 100_000;

async function measure({ command, rounds, quick }: Plan): Promise<z.infer<typeof schema>> {
  const documents = (await cranfieldCollection()).slice(0, quick ? 40 : undefined);
  const encoder = createEncoder();
  try {
    const engine = new SearchEngine(encoder);
    await engine.add(documents);
    log(`${engine.size} passages embedded`);
    const quality = [...(await cranfieldQuality(engine)), ...(await everydayQuality(encoder))];
    const chunked = await Promise.all(documents.map((document) => chunkDocument(document)));
    const texts = chunked.flatMap(({ document, passages }) =>
      passages.map(({ start, end, headings }) => embeddedText(document, { text: document.text.slice(start, end), start, end, headings })),
    );
    const { vectors } = await encoder.embed(texts);
    const asked = textsOf(await cranfieldQueries()).slice(0, queriesAsked);
    const embedded = await encoder.embed(asked, { inputType: "query" });
    const queries = asked.map((text, i) => ({ text, vector: embedded.vectors[i] ?? new Float32Array() }));
    const job = { documents, passages: texts.length, vectors, queries, rounds };
    const found: { sizes: SearchSize[]; peers: PeerSize[] } = { sizes: [], peers: [] };
    for (const size of quick ? [1000, 10_000] : [1000, 10_000, 30_000, 100_000, 300_000]) {
      found.sizes.push(await inChild<SearchSize>({ ...job, peer: null, size }));
      for (const peer of size > maxPeerSize ? [] : peers) found.peers.push(await inChild<PeerSize>({ ...job, peer, size }));
      log(`${size} passages searched`);
    }
    return { environment: await describeEnvironment(command, ["minisearch", "@orama/orama"]), rounds, ...found, quality };
  } finally {
    await encoder.dispose();
  }
}

async function inChild<Answer>(job: SearchJob): Promise<Answer> {
  await using child = new Child("search-child.js");
  return await child.ask<Answer>(job);
}

const both = ({ p50, p95 }: z.infer<typeof percentilesSchema>) => `${p50.toFixed(1)} / ${p95.toFixed(1)}`;

export const search = defineBenchmark({
  name: "search",
  schema,
  measure,
  report({ rounds, sizes, peers: measured, quality }) {
    const costOf = ({ buildMs, memoryBytes, fileBytes }: Pick<SearchSize, "buildMs" | "memoryBytes" | "fileBytes">) => [
      (buildMs / 1e3).toFixed(1),
      (memoryBytes / 1e6).toFixed(0),
      (fileBytes / 1e6).toFixed(1),
    ];
    const rows = sizes.map((size) => [
      size.passages.toLocaleString("en"),
      ...[size.keyword, size.semantic, size.hybrid].map(both),
      (size.openMs / 1e3).toFixed(2),
      ...costOf(size),
      size.recall.toFixed(3),
    ]);
    const head = ["passages", "keyword, ms", "semantic, ms", "hybrid, ms", "open, s", "build, s", "memory, MB", "file, MB", "recall of 10"];
    const large = sizes.filter(({ passages }) => passages > 90_000 && passages < 110_000);
    const limit = (says: string, figure: (size: SearchSize) => number, most: number, unit: string) =>
      claimThat(`100,000 passages: ${says}`, large.map(figure), { most, unit });
    return {
      title: "Search",
      sections: [
        `p50 / p95 per query without its embedding, ${queriesAsked} queries ${rounds} times, ten results, in Node. Passages are those of Cranfield and copies with noise. Build includes splitting and the encoding of vectors; recall is that of the codes against float32.`,
        table(head, rows),
        "Keyword search of other libraries over the same passages.",
        table(
          ["library", "passages", "keyword, ms", "build, s", "memory, MB", "file, MB"],
          measured.map((size) => [size.peer, size.passages.toLocaleString("en"), both(size.keyword), ...costOf(size)]),
        ),
        "Quality, nDCG@10. Parameters were chosen on the odd and the open queries. The lead is that of hybrid over the better other mode, with its 95 % interval.",
        table(
          ["queries", "number", ...modes, "lead"],
          quality.map(({ set, queries, means, lead }) => [
            set,
            String(queries),
            ...modes.map((mode) => means[mode].toFixed(3)),
            `${lead.mean.toFixed(3)} (${lead.low.toFixed(3)} to ${lead.high.toFixed(3)})`,
          ]),
        ),
      ],
      claims: [
        ...limit("keyword search within 15 ms (p95)", ({ keyword }) => keyword.p95, 15, "ms"),
        ...limit("hybrid search within 30 ms (p95)", ({ hybrid }) => hybrid.p95, 30, "ms"),
        ...limit("a file opens within 1.5 s", ({ openMs }) => openMs / 1e3, 1.5, "s"),
        ...limit("at most 200 MB of memory", ({ memoryBytes }) => memoryBytes / 1e6, 200, "MB"),
        ...limit("at most 90 MB of file", ({ fileBytes }) => fileBytes / 1e6, 90, "MB"),
        ...limit("built within 40 s", ({ buildMs }) => buildMs / 1e3, 40, "s"),
        ...claimThat(
          "Hybrid is nowhere significantly below the better other mode (upper end of the interval)",
          quality.map(({ lead }) => lead.high),
          {
            least: 0,
            digits: 3,
            unit: "",
          },
        ),
      ],
    };
  },
});
