import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Page } from "playwright";
import { CountingProxy } from "./counting-proxy.ts";
import { EdgeBundle, embedAtEdge } from "./edge-isolate.ts";
import { Profile } from "./profile.ts";
import type { NodeStart, PageStart, StartResult, StartRound } from "./start-results.ts";

/** In none of the texts that come with the page word for word, so that a vector is computed for it. */
const query = "my flat is cold at night";
/** For the service worker, which keeps the page for the next visit, beside everything else, in ms. */
const keeping = 2_000;
/** The longest that a service or a page may take, in ms. */
const patience = 120_000;

const root = fileURLToPath(new URL("../../", import.meta.url));

/** How long the Node service, the page and an edge isolate take until they are of use. */
export async function measureStart(rounds: number, onProgress: (line: string) => void): Promise<Omit<StartResult, "environment">> {
  await using bundle = await EdgeBundle.make();
  const seen: StartRound[] = [];
  let browser = "";
  for (let round = 0; round < rounds; round++) {
    const cold = (await forgetFiles()) ? await startNode() : null;
    const node = { cold, warm: await startNode() };
    const visits = await visitPage();
    browser = visits.browser;
    const found = { node, page: { cold: visits.cold, warm: visits.warm }, edge: await startEdge(bundle) };
    seen.push(found);
    const [vector, words] = [node.warm.vector, visits.cold.words].map((ms) => ms.toFixed(0));
    onProgress(
      `round ${round + 1} of ${rounds}, start: Node's first vector after ${vector} ms, the page's first results after ${words} ms`,
    );
  }
  return { browser, rounds: seen };
}

/** The service as `npm start` starts it, once it is built. */
export class Service implements AsyncDisposable {
  readonly url: string;
  readonly #process: ReturnType<typeof spawn>;

  private constructor(process: ReturnType<typeof spawn>, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** Resolves when it has printed its address. */
  static async start(): Promise<Service> {
    const child = spawn(process.execPath, ["dist/api/node/main.js"], {
      cwd: root,
      env: { ...process.env, PORT: "0", LOG_LEVEL: "silent" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const url = await new Promise<string>((resolve, reject) => {
      let output = "";
      // Read to its end: a service whose reader is gone could not write any more.
      child.stderr.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const [, found] = /Embeddings +(http\S+)\/embed/.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", (code) => reject(new Error(`The service ended with code ${code}: ${output}`)));
    });
    return new Service(child, url);
  }

  /** Asks for the query's vector. */
  embed(): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return fetch(`${this.url}/embed`, { method: "POST", headers, body: JSON.stringify({ inputs: query }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

async function startNode(): Promise<NodeStart> {
  const start = performance.now();
  await using service = await Service.start();
  await expectAnswer(fetch(`${service.url}/health`));
  const health = performance.now() - start;
  await expectAnswer(service.embed());
  return { health, vector: performance.now() - start };
}

async function startEdge(bundle: EdgeBundle): Promise<StartRound["edge"]> {
  await using isolate = await bundle.start();
  const timed = async (ask: () => Promise<Response>) => {
    const start = performance.now();
    await expectAnswer(ask());
    return performance.now() - start;
  };
  const health = await timed(() => fetch(`${isolate.origin}/health`, { headers: { connection: "close" } }));
  const first = await timed(() => embedAtEdge(isolate.origin, { inputs: query }));
  return { health, first, second: await timed(() => embedAtEdge(isolate.origin, { inputs: query })) };
}

async function expectAnswer(asked: Promise<Response>): Promise<void> {
  const response = await asked;
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`It answered ${response.status}`);
}

/** Two visits of one person to the page, as the Node service serves it once it is ready itself. */
async function visitPage(): Promise<{ browser: string; cold: PageStart; warm: PageStart }> {
  await using service = await Service.start();
  await expectAnswer(service.embed());
  await using proxy = await CountingProxy.before(service.url);
  await using profile = await Profile.fresh("allow");
  let browser = "";
  const visit = () =>
    profile.visit(async (context) => {
      browser = context.browser()?.version() ?? "";
      const page = await context.newPage();
      page.setDefaultTimeout(patience);
      proxy.take();
      const seen = await useAtOnce(page, proxy.origin);
      await sleep(keeping);
      return { ...seen, bytes: proxy.take() };
    });
  const cold = await visit();
  return { cold, warm: await visit(), browser };
}

/** Asks as soon as the page has loaded, and again when the model is there. */
async function useAtOnce(page: Page, origin: string): Promise<Omit<PageStart, "bytes">> {
  const moment = () => page.evaluate(() => performance.now());
  const status = page.locator("#status");
  const ask = async (text: string) => {
    const box = page.getByRole("searchbox", { name: "Search" });
    await box.fill(text);
    await box.press("Enter");
  };
  await page.goto(origin);
  await ask(query);
  await status.filter({ hasText: /passages? in/ }).waitFor();
  const words = await moment();
  await page.locator("#status[data-phase=ready]").waitFor();
  const ready = await moment();
  // Another one, whose vector nobody has computed yet.
  await ask(`${query} again`);
  await status.filter({ hasText: /passages? in .* on (WASM|WebGPU)/ }).waitFor();
  const meaning = await moment();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  return { paint: paint ?? Number.NaN, words, ready, meaning };
}

/** What the service reads when it starts. */
const filesRead = [
  "dist/api",
  "dist/shared",
  "models/bge-small-en-v1.5",
  `node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}`,
];

/** Has the operating system forget the content of those files, as after a start of the machine. False where it cannot be told to. */
async function forgetFiles(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  for (const folder of filesRead) {
    const entries = await readdir(new URL(`../../${folder}/`, import.meta.url), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      // GNU dd: with a count of 0 it only drops what is cached.
      await promisify(execFile)("dd", [`if=${entry.parentPath}/${entry.name}`, "iflag=nocache", "count=0", "status=none"]);
    }
  }
  return true;
}
