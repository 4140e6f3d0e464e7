import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { type Browser, chromium } from "playwright";
import { findBrowser, launchOptions } from "../tests/e2e/browser.ts";
import { Child } from "./child.ts";
import { descendantsCpuMs } from "./cpu-time.ts";
import { embedTokens } from "./edge.ts";
import { EdgeBundle } from "./edge-isolate.ts";
import type { EngineAnswer, EngineJob } from "./engine-child.ts";
import type { EngineMeasurement, EngineResult } from "./engine-results.ts";
import { type WasmRival, wasmRivals } from "./engine-rivals.ts";
import { readManifest } from "./environment.ts";
import { rotated, spreadOf } from "./statistics.ts";

type RivalId = EngineMeasurement["rival"];
type Timing = Pick<EngineMeasurement, "ms" | "cpuMs">;

/** A rival whose files are read. The first run opens it. */
interface StartedRival extends AsyncDisposable {
  /** Computes texts of so many tokens, `times` times. */
  run(lengths: readonly number[], times: number): Promise<Timing>;
}

interface Host {
  readonly id: EngineMeasurement["host"];
  readonly cases: readonly Case[];
  readonly rivals: readonly RivalStart[];
}

interface RivalStart {
  readonly id: RivalId;
  start(): Promise<StartedRival>;
}

interface Case {
  readonly name: EngineMeasurement["case"];
  /** Tokens of each text. The engine computes all in one run, ONNX Runtime one by one: cpu.onnx takes equal lengths only. */
  readonly lengths: readonly number[];
  /** How often in a turn: a turn takes so long that a clock of tenths of a ms tells it well. */
  readonly times: number;
}

const single = [
  { name: "16 tokens", lengths: [16], times: 16 },
  { name: "128 tokens", lengths: [128], times: 2 },
  { name: "512 tokens", lengths: [512], times: 1 },
] as const satisfies readonly Case[];
const cases = [
  ...single,
  { name: "8 short texts", lengths: [17, 18, 19, 20, 21, 22, 23, 24], times: 2 },
] as const satisfies readonly Case[];

/** The engine against ONNX Runtime in each host. In a round all rivals of a host are open, and take their turns one after the other. */
export async function measureEngine(
  { rounds, turns }: { readonly rounds: number; readonly turns: number },
  onProgress: (line: string) => void,
): Promise<Omit<EngineResult, "environment">> {
  const measurements: EngineMeasurement[] = [];
  await using server = await startServer();
  await using browser = await chromium.launch(launchOptions(findBrowser()));
  await using engine = await EdgeBundle.make();
  await using onnx = await EdgeBundle.make("bench/isolate/onnx.ts");
  const hosts = [await inChromium(browser, server.url), inWorkerd({ engine, "onnxruntime-web": onnx }), inNode];
  for (let round = 0; round < rounds; round++) {
    for (const host of hosts) {
      for (const found of await measureHost(host, round, turns)) measurements.push({ host: host.id, round, ...found });
      onProgress(`round ${round + 1} of ${rounds}, engine: ${host.id}`);
    }
  }
  return { browser: browser.version(), rounds, measurements };
}

type OfHost = Omit<EngineMeasurement, "host" | "round">;

async function measureHost({ rivals, cases }: Host, round: number, turns: number): Promise<OfHost[]> {
  const found: OfHost[] = [];
  const started: { id: RivalId; rival: StartedRival }[] = [];
  try {
    for (const { id, start } of rotated(rivals, round)) {
      const rival = await start();
      started.push({ id, rival });
      found.push({ rival: id, case: "first vector", ...(await rival.run([16], 1)) });
    }
    // Until V8 has optimized the code, beside it, on other threads.
    for (const { rival } of started) await rival.run([128], 20);
    for (const each of cases) found.push(...(await measureByTurns(started, each, turns)));
  } finally {
    for (const { rival } of started) await rival[Symbol.asyncDispose]();
  }
  return found;
}

async function measureByTurns(
  started: readonly { readonly id: RivalId; readonly rival: StartedRival }[],
  { name, lengths, times }: Case,
  turns: number,
): Promise<OfHost[]> {
  const timings = started.map(({ id, rival }) => ({ id, rival, ms: [] as number[], cpuMs: [] as (number | null)[] }));
  for (let turn = -1; turn < turns; turn++) {
    for (const { rival, ms, cpuMs } of timings) {
      const timing = await rival.run(lengths, times);
      if (turn < 0) continue;
      ms.push(timing.ms / times);
      cpuMs.push(timing.cpuMs && timing.cpuMs / times);
    }
  }
  return timings.map(({ id, ms, cpuMs }) => {
    const known = cpuMs.filter((value) => value !== null);
    return { rival: id, case: name, ms: spreadOf(ms).median, cpuMs: known.length > 0 ? spreadOf(known).median : null };
  });
}

const inNode: Host = {
  id: "node",
  cases,
  rivals: [...wasmRivals, "onnxruntime-node" as const].map((id) => ({
    id,
    async start() {
      const child = new Child("engine-child.js");
      const run = (lengths: readonly number[], times: number) => child.ask<EngineAnswer>({ rival: id, lengths, times } satisfies EngineJob);
      await run([], 0);
      return { run, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
    },
  })),
};

/** The repository, for pages of this machine. */
async function startServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const app = new Hono();
  app.get("/", ({ html }) => html("<!doctype html><title>The engine is measured</title>"));
  for (const folder of ["dist", "models", "node_modules/onnxruntime-web/dist"]) app.get(`/${folder}/*`, serveStatic({ root }));
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

/** A worker for each rival, in a page of its own. */
async function inChromium(browser: Browser, url: string): Promise<Host> {
  const manifest = await readManifest();
  return {
    id: "chromium",
    cases,
    rivals: wasmRivals.map((id) => ({
      id,
      async start() {
        const page = await browser.newPage();
        await page.goto(url);
        const starting = page.waitForEvent("worker");
        await page.evaluate('void new Worker("/dist/bench/engine-worker.js", { type: "module" })');
        const worker = await starting;
        await worker.evaluate(({ rival, manifest }) => prepare(rival, manifest), { rival: id, manifest });
        const run = (lengths: readonly number[], times: number) =>
          worker.evaluate(({ lengths, times }) => compute(lengths, times), { lengths, times });
        return { run: withCpu({ thread: "DedicatedWorker" }, run), [Symbol.asyncDispose]: () => page.close() };
      },
    })),
  };
}

/** The edge's worker as it is deployed, and the same with ONNX Runtime. A request has one text. */
function inWorkerd(bundles: Readonly<Record<WasmRival, EdgeBundle>>): Host {
  return {
    id: "workerd",
    cases: single,
    rivals: wasmRivals.map((id) => ({
      id,
      async start() {
        const isolate = await bundles[id].start();
        const run = async (lengths: readonly number[], times: number) => {
          const start = performance.now();
          for (let i = 0; i < times; i++) for (const tokens of lengths) await embedTokens(isolate.origin, tokens);
          return performance.now() - start;
        };
        return { run: withCpu({ process: "workerd" }, run), [Symbol.asyncDispose]: () => isolate[Symbol.asyncDispose]() };
      },
    })),
  };
}

/** Rivals are open together, but only one computes: what the others' threads use meanwhile is next to nothing. */
function withCpu(
  names: Parameters<typeof descendantsCpuMs>[0],
  run: (lengths: readonly number[], times: number) => Promise<number>,
): StartedRival["run"] {
  return async (lengths, times) => {
    const before = descendantsCpuMs(names);
    const ms = await run(lengths, times);
    const after = descendantsCpuMs(names);
    return { ms, cpuMs: before === null || after === null ? null : after - before };
  };
}
