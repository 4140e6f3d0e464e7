import type { Contender } from "./contender.ts";

// Each is imported by the process that runs it, and by no other: a module that is only loaded counts in peak memory.
const pool = (workers: number): Contender => ({
  id: `pool-${workers}`,
  label: `**Samevec, ${workers} worker${workers === 1 ? "" : "s"}**`,
  open: async () => (await import("./pool.ts")).openPool(workers),
});

const pipelineOf = (id: string, label: string, options: { textsPerCall: number; threads?: number }): Contender => ({
  id,
  label: `transformers.js \`pipeline\`, ${label}`,
  open: async (peer) => (await import("./pipeline.ts")).openPipeline({ peer, ...options }),
});

const session: Contender = {
  id: "session",
  label: "**Samevec's session**, its own graph",
  open: async () => (await import("./session.ts")).openSession(),
};

const runtime: Contender = {
  id: "runtime",
  label: "ONNX Runtime called directly, published graph",
  open: async (peer) => (await import("./runtime.ts")).openRuntime(peer),
};

/** The product against what its users would write without it. The first of a list is what the others are compared to. */
export const encoders: readonly Contender[] = [
  pool(2),
  pool(1),
  pipelineOf("pipeline-all", "all texts in one call", { textsPerCall: Number.POSITIVE_INFINITY }),
  pipelineOf("pipeline-32", "batches of 32", { textsPerCall: 32 }),
  pipelineOf("pipeline-1", "one text per call", { textsPerCall: 1 }),
];

/** Where the time of one thread goes: model classes, runtime, graph. */
export const singleThreads: readonly Contender[] = [
  session,
  runtime,
  pipelineOf("pipeline-1-thread", "one text per call, published graph", { textsPerCall: 1, threads: 1 }),
];

/** Throws `RangeError` when there is none of this id. */
export function contenderOf(id: string): Contender {
  const contender = [...encoders, ...singleThreads].find((candidate) => candidate.id === id);
  if (!contender) throw new RangeError(`There is no contender ${id}`);
  return contender;
}
