/** Time until the Node.js service and the search page are usable. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BrowserContext, Page } from "playwright";
import { z } from "zod";
import { defineBenchmark, log, type Plan } from "./benchmark.ts";
import { countingProxy, withProfile } from "./chromium.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import { ServiceProcess } from "./service-process.ts";
import { formatEach, table } from "./statistics.ts";

const pageSchema = z.object({
  /** Times from the navigation in ms: first paint, first keyword results, model ready, first results by a computed vector. */
  paint: z.number(),
  keyword: z.number(),
  ready: z.number(),
  semantic: z.number(),
  /** Bytes sent by the server. */
  bytes: z.number(),
});

const roundSchema = z.object({
  /** Times from the start of the process in ms: first response of `/health`, first vector. */
  node: z.object({ health: z.number(), vector: z.number() }),
  /** The first visit, and the second visit in a restarted browser. */
  page: z.object({ cold: pageSchema, warm: pageSchema }),
});

const schema = z.object({ environment: environmentSchema, browser: z.string(), rounds: z.array(roundSchema).min(1) });

type Round = z.infer<typeof roundSchema>;

/** Not a built-in text of the page, so its vector must be computed. */
const query = "my flat is cold at night";

async function measure({ command, rounds: count }: Plan): Promise<z.infer<typeof schema>> {
  const rounds: Round[] = [];
  let browser = "";
  for (let round = 0; round < count; round++) {
    const node = await startNode();
    const visits = await visitPage();
    browser = visits.browser;
    rounds.push({ node, page: visits.page });
    log(`round ${round + 1} of ${count}: first vector after ${node.vector.toFixed(0)} ms`);
  }
  return { environment: await describeEnvironment(command, ["onnxruntime-node"]), browser, rounds };
}

async function startNode(): Promise<Round["node"]> {
  const start = performance.now();
  await using service = await ServiceProcess.start();
  await (await fetch(`${service.url}/health`)).arrayBuffer();
  const health = performance.now() - start;
  await service.embed([query]);
  return { health, vector: performance.now() - start };
}

/** Two visits with one profile, while the service is ready. */
async function visitPage(): Promise<{ browser: string; page: Round["page"] }> {
  await using service = await ServiceProcess.start();
  await service.embed([query]);
  await using proxy = await countingProxy(service.url);
  // Awaited here, since the proxy closes at the end of this block.
  return await withProfile("allow", async (visit) => {
    let browser = "";
    const measureVisit = async (context: BrowserContext) => {
      browser = context.browser()?.version() ?? "";
      const page = await context.newPage();
      page.setDefaultTimeout(120_000);
      proxy.takeBytes();
      const seen = await searchAtOnce(page, proxy.url);
      // Meanwhile, the service worker stores the page for the next visit.
      await sleep(2_000);
      return { ...seen, bytes: proxy.takeBytes() };
    };
    const cold = await visit(measureVisit);
    return { page: { cold, warm: await visit(measureVisit) }, browser };
  });
}

/** Searches as soon as the page has loaded, and again when the model is ready. */
async function searchAtOnce(page: Page, url: string): Promise<Omit<z.infer<typeof pageSchema>, "bytes">> {
  const moment = () => page.evaluate(() => performance.now());
  const status = page.locator("#status");
  const search = async (text: string) => {
    const box = page.getByRole("searchbox", { name: "Search" });
    await box.fill(text);
    await box.press("Enter");
  };
  await page.goto(url);
  await search(query);
  await status.filter({ hasText: /passages? in/ }).waitFor();
  const keyword = await moment();
  await page.locator("#status[data-phase=ready]").waitFor();
  const ready = await moment();
  // A different query, whose vector is not cached.
  await search(`${query} again`);
  await status.filter({ hasText: /passages? in .* on (WASM|WebGPU)/ }).waitFor();
  const semantic = await moment();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  return { paint: paint ?? Number.NaN, keyword, ready, semantic };
}

export const start = defineBenchmark({
  name: "start",
  schema,
  measure,
  report({ browser, rounds }) {
    const visits = { "first visit": "cold", "second visit, browser restarted": "warm" } as const;
    const rows = Object.entries(visits).map(([label, visit]) => [
      label,
      ...(["paint", "keyword", "ready", "semantic"] as const).map((moment) => formatEach(rounds, ({ page }) => page[visit][moment], 0)),
      formatEach(rounds, ({ page }) => page[visit].bytes / 1e6, 1),
    ]);
    const head = ["first paint, ms", "first results, ms", "model ready, ms", "first results by a computed vector, ms", "downloaded, MB"];
    const [health, vector] = [formatEach(rounds, ({ node }) => node.health, 0), formatEach(rounds, ({ node }) => node.vector, 0)];
    return {
      title: "Start",
      sections: [
        `**Node**: the first answer of \`/health\` comes ${health} ms after the start of the process, the first vector after ${vector} ms. ${rounds.length} rounds.`,
        `**The search page** in Chromium ${browser}, from the navigation, served by this machine:`,
        table(["", ...head], rows),
      ],
    };
  },
});
