import { wrap } from "comlink";
import { createEncoder } from "../../web/encoder/encoder.ts";
import type { BenchPage, PageMethod } from "../page-protocol.ts";
import type { IndexWorker } from "./index-worker.ts";
import type { Pipeline } from "./pipeline-worker.ts";

type Embed = (texts: readonly string[]) => Promise<Iterable<number>[]>;

let vectors: readonly Iterable<number>[] = [];
let opening: Promise<Embed> | null = null;

/** @param whole whether to wait for all workers instead of the first one */
async function open(method: PageMethod, { whole }: { whole: boolean }): Promise<Embed> {
  if (method.encoder === "pipeline") {
    const pipeline = wrap<Pipeline>(new Worker(new URL("./pipeline-worker.ts", import.meta.url), { type: "module" }));
    await pipeline.load(method);
    return (texts) => pipeline.embed(texts);
  }
  const { workers } = method;
  const encoder = createEncoder({ device: "wasm", workers, interactiveWorkers: 0, runTimeout: 600_000 });
  if (whole) await encoder.load();
  while (whole && encoder.info().workers.ready < workers) await new Promise((resolve) => setTimeout(resolve, 5));
  return async (texts) => (await encoder.embed(texts)).vectors;
}

let longestTask = 0;
const noteTasks = (tasks: PerformanceEntryList) => {
  for (const { duration } of tasks) longestTask = Math.max(longestTask, duration);
};
const tasks = new PerformanceObserver((list) => noteTasks(list.getEntries()));
tasks.observe({ type: "longtask", buffered: true });

const page: BenchPage = {
  async load(method) {
    opening = open(method, { whole: true });
    await opening;
  },
  async first(method, text) {
    const embed = await open(method, { whole: false });
    await embed([text]);
    return performance.now();
  },
  async embed(texts) {
    if (!opening) throw new Error("Nothing is loaded");
    const embed = await opening;
    const start = performance.now();
    vectors = await embed(texts);
    return (performance.now() - start) / 1e3;
  },
  search: (file, asked) =>
    wrap<IndexWorker>(new Worker(new URL("./index-worker.ts", import.meta.url), { type: "module" })).search(file, asked),
  vectors: () => vectors.map((vector) => [...vector]),
  longestTask() {
    noteTasks(tasks.takeRecords());
    const longest = longestTask;
    longestTask = 0;
    return longest;
  },
};

globalThis.benchPage = page;
