import { type Browser, chromium, type Page } from "playwright";
import { cosineSimilarity } from "../shared/vector.ts";
import { findBrowser, launchOptions } from "../tests/e2e/browser.ts";
import type { Method, PageModel } from "./bench-page.ts";
import { type PeerModel, Unavailable } from "./contenders/contender.ts";
import { machineCpuSeconds } from "./cpu-time.ts";
import type { TextSet } from "./cranfield.ts";
import type { GoldenRow } from "./golden.ts";
import { PageServer } from "./page-server.ts";
import { peakMemoryOf } from "./peak-memory.ts";
import type { BrowserComparison, BrowserMeasurement, Visits, WebgpuResult } from "./results.ts";
import { rotated } from "./statistics.ts";
import { measureVisits } from "./visits.ts";

interface BrowserContender {
  readonly id: string;
  /** For tables. */
  readonly label: string;
  method(model: PageModel): Method;
  /** Begins as one that is not, so that its visits are the same. */
  readonly batched?: boolean;
}

type Device = Method["device"];

const samevec = (id: string, label: string, device: Device, workers: number): BrowserContender => ({
  id,
  label: `**Samevec, ${label}**`,
  method: () => ({ encoder: "samevec", device, workers }),
});

const pipeline = (device: Device, textsPerCall: number): BrowserContender => ({
  id: `pipeline-${textsPerCall}`,
  label: `transformers.js \`pipeline\` in a worker, ${textsPerCall === 1 ? "one text per call" : `batches of ${textsPerCall}`}`,
  method: (model) => ({ encoder: "pipeline", device, textsPerCall, model }),
  batched: textsPerCall > 1,
});

/** The first of a list is what the others are compared to. */
const contendersOn: { readonly [device in Device]: readonly BrowserContender[] } = {
  wasm: [samevec("pool-2", "2 workers", "wasm", 2), samevec("pool-1", "1 worker", "wasm", 1), pipeline("wasm", 1), pipeline("wasm", 32)],
  webgpu: [samevec("webgpu", "1 worker", "webgpu", 1), pipeline("webgpu", 1), pipeline("webgpu", 32)],
};

/** The longest that a page may take for all that it is asked for, in ms. */
const patience = 15 * 60_000;

// Chromium for Linux gives graphics hardware to a page only when told to.
const graphicsArguments = process.platform === "linux" ? ["--enable-unsafe-webgpu", "--enable-features=Vulkan"] : [];

export interface BrowserOptions {
  /** What is measured. */
  readonly textSet: TextSet;
  /** Embedded before, so that V8 has optimized what computes. */
  readonly warmUp: readonly string[];
  readonly rounds: number;
  readonly peer: PeerModel;
  readonly onProgress: (line: string) => void;
}

type Compared = Pick<BrowserComparison, "browser" | "rounds" | "contenders" | "measurements" | "visits" | "skipped">;

/** Our pool on WASM against transformers.js on WASM, in Chromium. */
export async function compareInBrowser(options: BrowserOptions): Promise<Compared> {
  await using server = await PageServer.start(options.peer);
  // Awaited here: the server is closed when this block is left.
  return await compareOn("wasm", server, options);
}

/** Our graph for WebGPU against transformers.js with the published float32 graph, on the same hardware; why not, where there is none. */
export async function compareOnWebgpu(
  options: BrowserOptions,
  golden: readonly GoldenRow[],
): Promise<(Compared & Pick<WebgpuResult, "adapter" | "golden">) | { readonly refusal: string }> {
  await using server = await PageServer.start(options.peer);
  const adapter = await inFreshPage("webgpu", server, (page) => page.evaluate(() => benchPage.adapter()));
  if ("refusal" in adapter) return adapter;
  const found = await inFreshPage("webgpu", server, (page) => goldenCosines(page, golden));
  return {
    adapter: adapter.name,
    golden: { texts: found.length, worst: Math.min(...found), mean: found.reduce((sum, cosine) => sum + cosine, 0) / found.length },
    ...(await compareOn("webgpu", server, options)),
  };
}

/** In every round each contender takes its turn, in a browser of its own, and each round begins with another one. */
async function compareOn(device: Device, server: PageServer, options: BrowserOptions): Promise<Compared> {
  const { textSet, rounds, onProgress } = options;
  const contenders = contendersOn[device];
  const measurements: BrowserMeasurement[] = [];
  const visits: Visits[] = [];
  const skipped = new Map<string, string>();
  let version = "";
  for (let round = 0; round < rounds; round++) {
    const measured = new Map<string, Measured>();
    for (const { id, method, batched } of rotated(contenders, round)) {
      if (skipped.has(id)) continue;
      try {
        const figures = await inFreshPage(device, server, (page, browser) => {
          version = browser.version();
          return measure(page, browser, method(server.model), options);
        });
        measured.set(id, figures);
        if (device === "wasm" && !batched) visits.push({ contender: id, round, ...(await measureVisits(server, method)) });
        onProgress(`round ${round + 1} of ${rounds}, ${device}, ${id}: ${(textSet.texts.length / figures.seconds).toFixed(1)} texts/s`);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        console.error(error.cause);
        skipped.set(id, error.message);
        onProgress(`${id}: SKIPPED: ${error.message}`);
      }
    }
    const reference = measured.get(contenders[0]?.id ?? "");
    if (!reference) throw new Error("The reference, to which the others are compared, gave no vectors");
    for (const [contender, { vectors, ...figures }] of measured) {
      const worstCosine = Math.min(...cosines(reference.vectors, vectors));
      measurements.push({ contender, texts: textSet.name, round, ...figures, worstCosine });
    }
  }
  return {
    browser: version,
    rounds,
    contenders: contenders.map(({ id, label }) => ({ id, label })),
    measurements,
    visits,
    skipped: Array.from(skipped, ([contender, reason]) => ({ contender, reason })),
  };
}

async function inFreshPage<Result>(
  device: Device,
  { url }: PageServer,
  use: (page: Page, browser: Browser) => Promise<Result>,
): Promise<Result> {
  const { args = [], ...options } = launchOptions(findBrowser());
  const browser = await chromium.launch({ ...options, args: device === "webgpu" ? [...args, ...graphicsArguments] : args });
  // Whatever is awaited of the page then rejects.
  const deadline = setTimeout(() => void browser.close(), patience);
  try {
    const page = await browser.newPage({ serviceWorkers: "block" });
    await page.goto(url);
    return await use(page, browser);
  } finally {
    clearTimeout(deadline);
    await browser.close();
  }
}

type Measured = Omit<BrowserMeasurement, "contender" | "texts" | "round" | "worstCosine"> & { readonly vectors: readonly Float32Array[] };

async function measure(page: Page, browser: Browser, method: Method, { textSet, warmUp }: BrowserOptions): Promise<Measured> {
  await page
    .evaluate((method) => benchPage.load(method), method)
    .catch((error: unknown) => {
      if (method.encoder === "samevec") throw error;
      throw new Unavailable("transformers.js could not load its model; name a folder that holds it by --peer-model", { cause: error });
    });
  await page.evaluate((texts) => benchPage.embed(texts), warmUp);
  const loading = await page.evaluate(() => benchPage.longestTask());

  const machineBefore = machineCpuSeconds();
  const cpuBefore = await browserCpuSeconds(browser);
  const seconds = await page.evaluate((texts) => benchPage.embed(texts), textSet.texts);
  const cpuSeconds = (await browserCpuSeconds(browser)) - cpuBefore;
  const coresElsewhere = Math.max(0, (machineCpuSeconds() - machineBefore - cpuSeconds) / seconds);
  const embedding = await page.evaluate(() => benchPage.longestTask());
  const peakBytes = await rendererPeak(browser);
  return {
    seconds,
    cpuSeconds,
    coresElsewhere,
    peakBytes,
    longestTask: { loading, embedding },
    vectors: await vectorsOf(page),
  };
}

async function goldenCosines(page: Page, rows: readonly GoldenRow[]): Promise<number[]> {
  await page.evaluate(() => benchPage.load({ encoder: "samevec", device: "webgpu", workers: 1 }));
  const found: number[] = [];
  for (const inputType of ["query", "passage"] as const) {
    const ofKind = rows.filter((row) => row.inputType === inputType);
    await page.evaluate(({ texts, inputType }) => benchPage.embed(texts, inputType), { texts: ofKind.map(({ text }) => text), inputType });
    found.push(
      ...cosines(
        ofKind.map(({ vector }) => vector),
        await vectorsOf(page),
      ),
    );
  }
  return found;
}

async function vectorsOf(page: Page): Promise<Float32Array[]> {
  return (await page.evaluate(() => benchPage.vectors())).map((vector) => Float32Array.from(vector));
}

/** Of each vector with its counterpart; 0 where there is none. */
function cosines(expected: readonly Float32Array[], found: readonly Float32Array[]): number[] {
  return expected.map((vector, i) => cosineSimilarity(vector, found[i] ?? new Float32Array(vector.length)));
}

/** Processor time of all processes of a browser since it was started. */
async function browserCpuSeconds(browser: Browser): Promise<number> {
  return (await processesOf(browser)).reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** The memory of the process that has the page and its workers, at its highest. A browser keeps one in reserve, which has less. */
async function rendererPeak(browser: Browser): Promise<number | null> {
  const peaks = (await processesOf(browser)).filter(({ type }) => type === "renderer").map(({ id }) => peakMemoryOf(id));
  const known = peaks.filter((peak) => peak !== null);
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
