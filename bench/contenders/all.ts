import type { AnyContender } from "../contender-process.ts";
import type { Contender } from "./contender.ts";
import { pythonContenders } from "./python.ts";

// Each is imported by the process that runs it, and by no other: a module that is only loaded counts in peak memory.
const pool = (workers: number): Contender => ({
  id: `pool-${workers}`,
  label: `**Samevec, ${workers} worker${workers === 1 ? "" : "s"}**`,
  precision: "int8",
  open: async () => (await import("./pool.ts")).openPool(workers),
});

const pipelineOf = (id: string, label: string, options: { textsPerCall: number }): Contender => ({
  id,
  label: `transformers.js \`pipeline\`, ${label}`,
  precision: "int8",
  open: async (peer) => (await import("./pipeline.ts")).openPipeline({ peer, ...options }),
});

/** The product against what its users would write without it. The first of a list is what the others are compared to. */
export const encoders: readonly Contender[] = [
  pool(2),
  pool(1),
  pipelineOf("pipeline-all", "all texts in one call", { textsPerCall: Number.POSITIVE_INFINITY }),
  pipelineOf("pipeline-32", "batches of 32", { textsPerCall: 32 }),
  pipelineOf("pipeline-1", "one text per call", { textsPerCall: 1 }),
];

/** Two workers, the reference, and one; and more where there are cores for them. */
const poolsFor = (cores: number) => [2, 1, 4, 8, 16].filter((workers) => workers <= Math.max(2, cores)).map(pool);

/** Of whom it is shown how time and memory grow: the product, and each library at the setting that it is best at or known by. */
export function growthContenders(cores: number, withPython: boolean): readonly AnyContender[] {
  const shown = ["pipeline-32", "pipeline-1", "fastembed-int8-1", "sentence-transformers-float32-32"];
  const others = withPython ? [...encoders, ...pythonContenders] : encoders;
  return [...poolsFor(cores), ...others.filter(({ id }) => shown.includes(id))];
}

/** Throws `RangeError` when there is none of this id. */
export function contenderOf(id: string): Contender {
  const contender = [...encoders, ...poolsFor(Number.POSITIVE_INFINITY)].find((candidate) => candidate.id === id);
  if (!contender) throw new RangeError(`There is no contender ${id}`);
  return contender;
}
