/** Compares the WebAssembly engine with ONNX Runtime Web, on one thread each, in Chromium, workerd and Node.js. */
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import type { Browser } from "playwright";
import { z } from "zod";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { Child } from "./child.ts";
import { launchChromium, serveLocally } from "./chromium.ts";
import { EdgeBundle, embedTokens } from "./edge-isolate.ts";
import type { EngineAnswer, EngineJob } from "./engine-child.ts";
import { type WasmRival, wasmRivals } from "./engine-rivals.ts";
import { describeEnvironment, environmentSchema, readManifest } from "./environment.ts";
import { formatEach, formatSpread, rotated, spreadOf, table } from "./statistics.ts";
import { descendantsCpuMs } from "./usage.ts";

const hosts = { chromium: "Chromium", workerd: "workerd", node: "Node" } as const;
const rivals = { engine: "**engine**", "onnxruntime-web": "ONNX Runtime Web", "onnxruntime-node": "ONNX Runtime, native" } as const;
const keysOf = <Key extends string>(object: Readonly<Record<Key, unknown>>) => Object.keys(object) as Key[];

const measurementSchema = z.object({
  host: z.enum(keysOf(hosts)),
  rival: z.enum(keysOf(rivals)),
  case: z.enum(["first vector", "16 tokens", "128 tokens", "512 tokens", "8 short texts"]),
  round: z.number(),
  /** Time per run of one text or all eight: the median of a round. */
  ms: z.number(),
  /** Processor time of the computing thread; in workerd and Node.js of the process. Null if the platform does not report it. */
  cpuMs: z.number().nullable(),
});

const schema = z.object({
  environment: environmentSchema,
  browser: z.string(),
  rounds: z.number(),
  measurements: z.array(measurementSchema),
});

type Measurement = z.infer<typeof measurementSchema>;

/** Computes texts with the given numbers of tokens `times` times. The first run opens the rival, whose files are in memory. */
interface Started extends AsyncDisposable {
  run(lengths: readonly number[], times: number): Promise<Pick<Measurement, "ms" | "cpuMs">>;
}

interface Host {
  readonly id: Measurement["host"];
  readonly rivals: readonly Measurement["rival"][];
  readonly cases: readonly Case[];
  start(rival: Measurement["rival"]): Promise<Started>;
}

interface Case {
  readonly name: Measurement["case"];
  /** Tokens of each text. The engine computes all in one run. ONNX Runtime runs them one by one: its graph requires equal lengths. */
  readonly lengths: readonly number[];
  /** Runs per turn: enough for a clock with a resolution of 0.1 ms. */
  readonly times: number;
}

const singleTexts: readonly Case[] = [
  { name: "16 tokens", lengths: [16], times: 16 },
  { name: "128 tokens", lengths: [128], times: 2 },
  { name: "512 tokens", lengths: [512], times: 1 },
];
const cases: readonly Case[] = [...singleTexts, { name: "8 short texts", lengths: [17, 18, 19, 20, 21, 22, 23, 24], times: 2 }];

async function measure({ command, rounds, quick }: Plan): Promise<z.infer<typeof schema>> {
  const measurements: Measurement[] = [];
  await using server = await serveLocally(repository());
  await using browser = await launchChromium();
  await using engine = await EdgeBundle.make();
  await using onnx = await EdgeBundle.make("bench/isolate/onnx.ts");
  for (let round = 0; round < rounds; round++) {
    for (const host of [inChromium(browser, server.url), inWorkerd({ engine, "onnxruntime-web": onnx }), inNode]) {
      for (const found of await measureHost(host, round, quick ? 1 : 15)) measurements.push({ host: host.id, round, ...found });
      log(`round ${round + 1} of ${rounds}: ${host.id}`);
    }
  }
  const environment = await describeEnvironment(command, ["onnxruntime-web", "onnxruntime-node", "wrangler"]);
  return { environment, browser: browser.version(), rounds, measurements };
}

type Found = Omit<Measurement, "host" | "round">;

/** Opens all rivals of a host and measures them in turns. */
async function measureHost(host: Host, round: number, turns: number): Promise<Found[]> {
  const found: Found[] = [];
  const open: { rival: Measurement["rival"]; started: Started }[] = [];
  try {
    for (const rival of rotated(host.rivals, round)) {
      const started = await host.start(rival);
      open.push({ rival, started });
      found.push({ rival, case: "first vector", ...(await started.run([16], 1)) });
    }
    // V8 optimizes the code during these calls, on other threads.
    for (const { started } of open) await started.run([128], turns > 1 ? 20 : 2);
    for (const { name, lengths, times } of host.cases) {
      const timings = open.map((each) => ({ ...each, ms: [] as number[], cpuMs: [] as number[] }));
      // The first turn is not counted.
      for (let turn = -1; turn < turns; turn++) {
        for (const { started, ms, cpuMs } of timings) {
          const timing = await started.run(lengths, times);
          if (turn < 0) continue;
          ms.push(timing.ms / times);
          if (timing.cpuMs !== null) cpuMs.push(timing.cpuMs / times);
        }
      }
      for (const { rival, ms, cpuMs } of timings) {
        found.push({ rival, case: name, ms: spreadOf(ms).median, cpuMs: cpuMs.length > 0 ? spreadOf(cpuMs).median : null });
      }
    }
  } finally {
    for (const { started } of open) await started[Symbol.asyncDispose]();
  }
  return found;
}

const inNode: Host = {
  id: "node",
  rivals: keysOf(rivals),
  cases,
  async start(rival) {
    const child = new Child("engine-child.js");
    const run = (lengths: readonly number[], times: number) => child.ask<EngineAnswer>({ rival, lengths, times } satisfies EngineJob);
    await run([], 0); // reads the files
    return { run, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  },
};

/** Serves the repository to local pages. */
function repository(): Hono {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const app = new Hono();
  app.get("/", ({ html }) => html("<!doctype html><title>Engine benchmark</title>"));
  for (const folder of ["dist", "models", "node_modules/onnxruntime-web/dist"]) app.get(`/${folder}/*`, serveStatic({ root }));
  return app;
}

/** Each rival runs in a worker of its own page. */
function inChromium(browser: Browser, url: string): Host {
  return {
    id: "chromium",
    rivals: wasmRivals,
    cases,
    async start(rival) {
      const page = await browser.newPage();
      await page.goto(url);
      const starting = page.waitForEvent("worker");
      await page.evaluate('void new Worker("/dist/bench/engine-worker.js", { type: "module" })');
      const worker = await starting;
      const manifest = await readManifest();
      await worker.evaluate(({ rival, manifest }) => prepare(rival, manifest), { rival: rival as WasmRival, manifest });
      const run = (lengths: readonly number[], times: number) =>
        worker.evaluate(({ lengths, times }) => compute(lengths, times), { lengths, times });
      return { run: withCpu({ thread: "DedicatedWorker" }, run), [Symbol.asyncDispose]: () => page.close() };
    },
  };
}

/** The deployed worker, and its variant with ONNX Runtime. One request per text. */
function inWorkerd(bundles: Readonly<Record<WasmRival, EdgeBundle>>): Host {
  return {
    id: "workerd",
    rivals: wasmRivals,
    cases: singleTexts,
    async start(rival) {
      const isolate = await bundles[rival as WasmRival].start();
      const run = async (lengths: readonly number[], times: number) => {
        const start = performance.now();
        for (let i = 0; i < times; i++) for (const tokens of lengths) await embedTokens(isolate.origin, tokens);
        return performance.now() - start;
      };
      return { run: withCpu({ process: "workerd" }, run), [Symbol.asyncDispose]: () => isolate[Symbol.asyncDispose]() };
    },
  };
}

/** Only one rival computes at a time: the threads of the others are almost idle. */
function withCpu(
  names: Parameters<typeof descendantsCpuMs>[0],
  run: (lengths: readonly number[], times: number) => Promise<number>,
): Started["run"] {
  return async (lengths, times) => {
    const before = descendantsCpuMs(names);
    const ms = await run(lengths, times);
    const after = descendantsCpuMs(names);
    return { ms, cpuMs: before === null || after === null ? null : after - before };
  };
}

type Cell = Pick<Measurement, "host" | "case">;
const times = { ms: "time", cpuMs: "CPU time" } as const;
type Time = keyof typeof times;

const measured = (measurements: readonly Measurement[], cell: Cell, rival: Measurement["rival"]) =>
  measurements.filter((each) => each.host === cell.host && each.case === cell.case && each.rival === rival);

/** Ratio of the engine's time to ONNX Runtime Web's, in each round. */
function shares(measurements: readonly Measurement[], cell: Cell, time: Time): number[] {
  const others = measured(measurements, cell, "onnxruntime-web");
  return measured(measurements, cell, "engine").flatMap((own) => {
    const theirs = others.find(({ round }) => round === own.round)?.[time] ?? null;
    const mine = own[time];
    return mine === null || theirs === null ? [] : mine / theirs;
  });
}

const limits = [
  { host: "chromium", case: "16 tokens", most: 0.7 },
  { host: "chromium", case: "128 tokens", most: 0.72 },
  { host: "chromium", case: "512 tokens", most: 0.65 },
  { host: "chromium", case: "8 short texts", most: 0.65 },
  { host: "workerd", case: "16 tokens", most: 0.65 },
  { host: "workerd", case: "128 tokens", most: 0.65 },
  { host: "workerd", case: "512 tokens", most: 0.65 },
  { host: "workerd", case: "first vector", most: 0.25 },
  { host: "workerd", case: "first vector", most: 0.4, time: "ms" },
] as const;

export const engine = defineBenchmark({
  name: "engine",
  schema,
  measure,
  report({ browser, rounds, measurements }) {
    const cells = [...new Map(measurements.map(({ host, case: name }) => [`${host} ${name}`, { host, case: name }])).values()];
    const rows = cells.map((cell) => [
      `${hosts[cell.host]}, ${cell.case}`,
      ...keysOf(rivals).flatMap((rival) => {
        const own = measured(measurements, cell, rival);
        return keysOf(times).map((time) => formatEach(own, (each) => each[time], 1));
      }),
      ...keysOf(times).map((time) => formatSpread(shares(measurements, cell, time), 2)),
    ]);
    const head = ["", ...Object.values(rivals).flatMap((label) => [`${label}, ms`, "CPU ms"]), "engine : ONNX Runtime Web, ms", "CPU ms"];
    const headline = shares(measurements, { host: "chromium", case: "16 tokens" }, "cpuMs");
    return {
      title: "The engine against ONNX Runtime",
      sections: [
        `The same model on one thread, by turns; Chromium ${browser}, ${rounds} rounds. "First vector" is that of a new process, worker or isolate.`,
        table(head, rows),
      ],
      claims: limits.flatMap((limit) => {
        const { host, most, case: name } = limit;
        const time = "time" in limit ? limit.time : "cpuMs";
        const claim = `In ${hosts[host]}, the engine takes at most ${most} of ONNX Runtime Web's ${times[time]}: ${name}`;
        return claimThat(claim, shares(measurements, limit, time), { most, unit: "" });
      }),
      headlines: [["CPU time of the WebAssembly engine, of ONNX Runtime Web's, 16 tokens in Chromium", formatSpread(headline, 2)]],
    };
  },
});
