import { wrap } from "comlink";
import type { InputType } from "../../shared/encoder/encoder.ts";
import { createEncoder } from "../../web/encoder/encoder.ts";
import { webgpuRefusal } from "../../web/encoder/webgpu.ts";
import type { BenchPage, Method } from "../bench-page.ts";
import type { IndexWorker } from "./index-worker.ts";
import type { Pipeline } from "./pipeline-worker.ts";

interface Opened {
  embed(texts: readonly string[], inputType: InputType): Promise<Iterable<number>[]>;
}

let vectors: readonly Iterable<number>[] = [];
let opening: Promise<Opened> | null = null;

/** @param whole whether all workers are to be ready, or those that a first text needs */
async function open(method: Method, { whole = true } = {}): Promise<Opened> {
  if (method.encoder === "pipeline") {
    const pipeline = wrap<Pipeline>(new Worker(new URL("./pipeline-worker.ts", import.meta.url), { type: "module" }));
    await pipeline.load(method);
    return { embed: (texts) => pipeline.embed(texts) };
  }
  const { device, workers } = method;
  const encoder = createEncoder({ device, workers, interactiveWorkers: 0, runTimeout: 600_000 });
  if (whole) await encoder.load();
  while (whole && encoder.info().workers.ready < workers) await new Promise((resolve) => setTimeout(resolve, 5));
  return { embed: async (texts, inputType) => (await encoder.embed(texts, { inputType })).vectors };
}

function opened(): Promise<Opened> {
  if (!opening) throw new Error("Nothing has been loaded");
  return opening;
}

let longestTask = 0;
const noteTasks = (tasks: PerformanceEntryList) => {
  for (const { duration } of tasks) longestTask = Math.max(longestTask, duration);
};
const tasks = new PerformanceObserver((list) => noteTasks(list.getEntries()));
tasks.observe({ type: "longtask", buffered: true });

const page: BenchPage = {
  async load(method) {
    opening = open(method);
    await opening;
  },
  async first(method, text) {
    const { embed } = await open(method, { whole: false });
    await embed([text], "passage");
    return performance.now();
  },
  async embed(texts, inputType = "passage") {
    const { embed } = await opened();
    const start = performance.now();
    vectors = await embed(texts, inputType);
    return (performance.now() - start) / 1e3;
  },
  vectors: () => vectors.map((vector) => [...vector]),
  async vectorsOf(texts, inputType) {
    const { embed } = await opened();
    return (await embed(texts, inputType)).map((vector) => [...vector]);
  },
  async scan(options) {
    const worker = new Worker(new URL("./index-worker.ts", import.meta.url), { type: "module" });
    try {
      return await wrap<IndexWorker>(worker).measure(options);
    } finally {
      worker.terminate();
    }
  },
  longestTask() {
    noteTasks(tasks.takeRecords());
    const longest = longestTask;
    longestTask = 0;
    return longest;
  },
  async adapter() {
    const refusal = await webgpuRefusal({ software: false });
    if (refusal) return { refusal };
    const { vendor, architecture, description } = (await navigator.gpu.requestAdapter())?.info ?? {};
    return { name: [vendor, architecture, description].filter(Boolean).join(" ") };
  },
};

globalThis.benchPage = page;
