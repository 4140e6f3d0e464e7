/** Compares a page's pool with transformers.js `pipeline` in a worker, in Chromium on WASM, and measures the first visit. */
import type { Browser, BrowserContext } from "playwright";
import { z } from "zod";
import { claimThat, defineBenchmark, type Plan, Unavailable } from "./benchmark.ts";
import { countingProxy, type LocalServer, launchChromium, withProfile } from "./chromium.ts";
import { type Contender, compare, comparisonSchema, comparisonTables, speedRatios } from "./comparison.ts";
import { cranfieldDocuments, textsOf } from "./cranfield.ts";
import { describeEnvironment, tokenCounter } from "./environment.ts";
import type { PageMethod, PageModel } from "./page-protocol.ts";
import { servePage } from "./page-server.ts";
import { figuresOf, formatEach, formatSpread, table } from "./statistics.ts";
import { measureUsage, memoryOf } from "./usage.ts";

const longestTask = z.object({ loading: z.number(), embedding: z.number() });
const visitSchema = z.object({
  /** Time from the navigation to the first vector. */
  ms: z.number(),
  /** Bytes sent by the server. */
  bytes: z.number(),
  /** Longest task of the page's thread in ms; 0 below 50. */
  longestTask: z.number(),
});

const schema = comparisonSchema({ longestTask }).extend({
  /** Version of Chromium. */
  browser: z.string(),
  /** The first visit, and the second visit in a restarted browser. */
  visits: z.array(z.object({ contender: z.string(), round: z.number(), cold: visitSchema, warm: visitSchema })),
});

type BrowserResult = z.infer<typeof schema>;

interface BrowserContender extends Contender {
  method(model: PageModel): PageMethod;
}

const pool = (workers: number): BrowserContender => ({
  id: `pool-${workers}`,
  label: `**Samevec, ${workers} worker${workers === 1 ? "" : "s"}**`,
  method: () => ({ encoder: "samevec", workers }),
});

const pipeline = (textsPerCall: number): BrowserContender => ({
  id: `pipeline-${textsPerCall}`,
  label: `transformers.js \`pipeline\` in a worker, ${textsPerCall === 1 ? "one text per call" : `batches of ${textsPerCall}`}`,
  method: (model) => ({ encoder: "pipeline", textsPerCall, model }),
});

const contenders = [pool(2), pool(1), pipeline(1), pipeline(32)];

async function measure({ command, rounds, quick, peer }: Plan): Promise<BrowserResult> {
  const all = textsOf(await cranfieldDocuments());
  const textSet = { name: "abstracts", texts: all.slice(0, quick ? 8 : 64) };
  const warmUp = all.slice(192, 200);
  const visits: BrowserResult["visits"] = [];
  let version = "";
  await using server = await servePage(peer);
  const compared = await compare({
    contenders,
    textSets: [textSet],
    rounds,
    measure: async ({ id, method }, texts, round) => {
      await using browser = await launchChromium();
      version = browser.version();
      const found = await measureInPage(browser, server.url, method(server.model), { warmUp, texts });
      // Methods that differ only in batch size have the same visits.
      if (id !== "pipeline-32") visits.push({ contender: id, round, ...(await measureVisits(server, method(server.model))) });
      return found;
    },
  });
  const countTokens = await tokenCounter();
  return {
    environment: await describeEnvironment(command, ["onnxruntime-web", "@huggingface/transformers"]),
    contenders: contenders.map(({ id, label }) => ({ id, label })),
    textSets: [{ name: textSet.name, texts: textSet.texts.length, tokens: countTokens(textSet.texts) }],
    browser: version,
    visits,
    ...compared,
  };
}

async function measureInPage(
  browser: Browser,
  url: string,
  method: PageMethod,
  { warmUp, texts }: { readonly warmUp: readonly string[]; readonly texts: readonly string[] },
) {
  const page = await browser.newPage({ serviceWorkers: "block" });
  await page.goto(url);
  await page
    .evaluate((method) => benchPage.load(method), method)
    .catch((cause: unknown) => {
      if (method.encoder === "samevec") throw cause;
      throw new Unavailable("transformers.js could not load its model; name a folder that holds it by --peer-model", { cause });
    });
  // V8 optimizes the code during these calls.
  await page.evaluate((texts) => benchPage.embed(texts), warmUp);
  const takeLongestTask = () => page.evaluate(() => benchPage.longestTask());
  const loading = await takeLongestTask();
  const { result: seconds, usage } = await measureUsage(
    () => browserCpuSeconds(browser),
    () => page.evaluate((texts) => benchPage.embed(texts), texts),
  );
  const figures = {
    ...usage,
    seconds,
    peakBytes: await pagePeakBytes(browser),
    longestTask: { loading, embedding: await takeLongestTask() },
  };
  const vectors = await page.evaluate(() => benchPage.vectors());
  return { vectors: vectors.map((vector) => Float32Array.from(vector)), figures };
}

/** Two visits with one profile: the first, and one after a restart of the browser. */
async function measureVisits(server: LocalServer, method: PageMethod) {
  await using proxy = await countingProxy(server.url);
  // Awaited here, since the proxy closes at the end of this block.
  return await withProfile("block", async (visit) => {
    const measureVisit = async (context: BrowserContext) => {
      const page = await context.newPage();
      proxy.takeBytes();
      await page.goto(proxy.url);
      const text = "my flat is cold at night";
      const ms = await page.evaluate(({ method, text }) => benchPage.first(method, text), { method, text });
      return { ms, bytes: proxy.takeBytes(), longestTask: await page.evaluate(() => benchPage.longestTask()) };
    };
    return { cold: await visit(measureVisit), warm: await visit(measureVisit) };
  });
}

async function browserCpuSeconds(browser: Browser): Promise<number> {
  return (await processesOf(browser)).reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Peak memory of the page's process, workers included: the largest renderer. Chromium keeps a smaller spare renderer. */
async function pagePeakBytes(browser: Browser): Promise<number | null> {
  const renderers = (await processesOf(browser)).filter(({ type }) => type === "renderer");
  const known = renderers.flatMap(({ id }) => memoryOf(id)?.peak ?? []);
  return known.length > 0 ? Math.max(...known) : null;
}

async function processesOf(browser: Browser) {
  const session = await browser.newBrowserCDPSession();
  try {
    return (await session.send("SystemInfo.getProcessInfo")).processInfo;
  } finally {
    await session.detach();
  }
}

export const browser = defineBenchmark({
  name: "browser",
  schema,
  measure,
  report(result) {
    const { measurements, visits, browser: version } = result;
    const faster = (over: string) => speedRatios(measurements, "abstracts", "pool-2", over);
    const visitsOf = (id: string) => visits.filter(({ contender }) => contender === id);
    const visitors = result.contenders.filter(({ id }) => visitsOf(id).length > 0);
    const rows = visitors.map(({ id, label }) => [
      label,
      ...(["cold", "warm"] as const).flatMap((visit) => [
        formatEach(visitsOf(id), (seen) => seen[visit].ms / 1e3, 2),
        formatEach(visitsOf(id), (seen) => seen[visit].bytes / 1e6, 1),
        formatEach(visitsOf(id), (seen) => seen[visit].longestTask, 0),
      ]),
    ]);
    const downloads = figuresOf(visitsOf("pool-2"), ({ cold }) => cold.bytes / 1e6);
    const firstVectors = formatEach(visitsOf("pool-2"), ({ cold }) => cold.ms / 1e3, 2);
    const visitHead = ["s", "downloaded, MB", "longest task, ms"];
    return {
      title: "In a browser",
      sections: [
        `Chromium ${version}, on WASM. A longest task is one of the page's own thread; 0 stands for less than 50 ms.`,
        ...comparisonTables(result, {
          "longest task while loading, ms": ({ longestTask }) => longestTask.loading,
          "while embedding, ms": ({ longestTask }) => longestTask.embedding,
        }),
        "From the navigation to the vector of a short text, in a new profile and again after a restart of the browser. The server is on this machine.",
        table(["", ...visitHead.map((head) => `first visit, ${head}`), ...visitHead.map((head) => `second, ${head}`)], rows),
      ],
      claims: [
        ...claimThat("In Chromium, two workers embed abstracts at least 1.7 times as fast as one", faster("pool-1"), { least: 1.7 }),
        ...claimThat("… at least 3 times as fast as `pipeline` text by text", faster("pipeline-1"), { least: 3 }),
        ...claimThat("… and at least 6 times as fast as `pipeline` in batches of 32", faster("pipeline-32"), { least: 6 }),
        ...claimThat("A page's first visit downloads at most 36 MB", downloads, { most: 36, digits: 1, unit: "MB" }),
      ],
      headlines: [
        ["Abstracts in Chromium: two workers' speed over `pipeline`'s", `${formatSpread(faster("pipeline-1"), 2)} ×`],
        ["First visit of a page: download, first vector", `${formatSpread(downloads, 1)} MB, ${firstVectors} s`],
      ],
    };
  },
});
