/** Cost of search in a page: an index file in a worker of Chromium, without embedding. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { Child } from "./child.ts";
import { launchChromium } from "./chromium.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import type { PageQuery } from "./page-protocol.ts";
import { filesPath, servePage } from "./page-server.ts";
import { type AskedQuery, askedOf, type BuildJob, percentilesSchema, queriesAsked } from "./search-protocol.ts";
import { cranfieldCollection, modes } from "./search-quality.ts";
import { formatPercentiles, percentiles, table } from "./statistics.ts";

const schema = z.object({
  environment: environmentSchema,
  /** Version of Chromium. */
  browser: z.string(),
  rounds: z.number(),
  sizes: z
    .array(
      z.object({
        size: z.number(),
        fileBytes: z.number(),
        openMs: z.number(),
        keyword: percentilesSchema,
        semantic: percentilesSchema,
        hybrid: percentilesSchema,
      }),
    )
    .min(1),
});

type PageSearchResult = z.infer<typeof schema>;

const asJson = ({ text, vector }: AskedQuery): PageQuery => ({ text, vector: Array.from(vector) });

async function measure({ command, rounds, quick, peer }: Plan): Promise<PageSearchResult> {
  const folder = await mkdtemp(join(tmpdir(), "samevec-search-page-"));
  const encoder = createEncoder();
  try {
    const { documents, vectors, queries } = await cranfieldCollection(encoder, quick ? 100 : undefined);
    const asked = askedOf(queries);
    const job = { documents, passages: vectors.length, vectors, queries: [], warmUp: [], rounds, peer: null };
    await using server = await servePage(peer, folder);
    const sizes: PageSearchResult["sizes"] = [];
    let version = "";
    for (const size of quick ? [1000] : [1000, 10_000, 100_000]) {
      const name = `${size}.samevec`;
      const fileBytes = await buildFile({ ...job, size, file: join(folder, name) });
      await using browser = await launchChromium();
      version = browser.version();
      const page = await browser.newPage();
      await page.goto(server.url);
      const times = await page.evaluate(([file, given]) => benchPage.search(file, given), [
        `${filesPath}${name}`,
        {
          queries: asked.queries.map(asJson),
          warmUp: asked.warmUp.map(asJson),
          rounds,
        },
      ] as const);
      const timesOf = (ms: readonly number[]) => ({ ...percentiles([...ms]), asked: ms.length });
      sizes.push({
        ...{ size, fileBytes, openMs: times.open },
        ...{ keyword: timesOf(times.keyword), semantic: timesOf(times.semantic), hybrid: timesOf(times.hybrid) },
      });
      log(`${size} passages searched`);
    }
    return { environment: await describeEnvironment(command, []), browser: version, rounds, sizes };
  } finally {
    await encoder.dispose();
    await rm(folder, { recursive: true });
  }
}

/** In a process of its own, whose memory ends with it. Returns the size of the file in bytes. */
async function buildFile(job: BuildJob): Promise<number> {
  await using child = new Child("search-child.js");
  return (await child.ask<{ readonly bytes: number }>(job)).bytes;
}

export const searchPage = defineBenchmark({
  name: "search-page",
  schema,
  measure,
  report({ browser, rounds, sizes }) {
    const rows = sizes.map((each) => [
      each.size.toLocaleString("en"),
      ...modes.map((mode) => formatPercentiles(each[mode])),
      (each.openMs / 1e3).toFixed(2),
      (each.fileBytes / 1e6).toFixed(1),
    ]);
    const large = sizes.filter(({ size }) => size === 100_000);
    const inMs = { unit: "ms", digits: 1 };
    return {
      title: "Search in a page",
      sections: [
        `An index file in a worker of Chromium ${browser}, with the WebAssembly scan. p50 / p95 per query without its embedding, ${queriesAsked} queries ${rounds} times, ten results. Passages as above.`,
        table(["passages", ...modes.map((mode) => `${mode}, ms`), "open, s", "file, MB"], rows),
      ],
      claims: [
        ...claimThat(
          "In a page with 100,000 passages, a keyword query takes at most 15 ms (p95)",
          large.map(({ keyword }) => keyword.p95),
          { most: 15, ...inMs },
        ),
        ...claimThat(
          "… and a hybrid query at most 30 ms (p95)",
          large.map(({ hybrid }) => hybrid.p95),
          { most: 30, ...inMs },
        ),
        ...claimThat(
          "… and their index file opens within 1.5 s",
          large.map(({ openMs }) => openMs / 1e3),
          { most: 1.5, unit: "s" },
        ),
      ],
    };
  },
});
