import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { Encoder } from "../shared/encoder/encoder.ts";
import { EncoderPool } from "../shared/encoder/pool.ts";
import type { WorkerHandle } from "../shared/encoder/pool-worker.ts";

/** Which model a worker opens: one of `models/`, or one of the Hugging Face hub. */
export type ModelSource = { readonly directory: string } | { readonly hub: string };

export interface NodeEncoderOptions {
  /** A folder with a manifest, or `{hub: "org/name"}`. Default: the bundled model. */
  readonly model?: ModelSource;
  /** Workers, each with a session of one thread. Default: one for each core. */
  readonly workers?: number;
}

/** The model that comes with the package, seen from `dist/api`. */
const bundledModel = fileURLToPath(new URL("../../models/bge-small-en-v1.5", import.meta.url));

/** The encoder in Node: a pool over worker threads. Nothing is loaded before the first call. */
export function createEncoder({ model = { directory: bundledModel }, workers = availableParallelism() }: NodeEncoderOptions = {}): Encoder {
  return new EncoderPool<ModelSource>({ spawn: spawnWorker, size: workers, prepare: async () => model });
}

function spawnWorker(): WorkerHandle {
  const worker = new Worker(new URL("./node-worker.js", import.meta.url));
  return {
    endpoint: nodeEndpoint(worker),
    onDeath(listener) {
      worker.once("error", (error: Error) => listener(error.message));
      worker.once("exit", (code) => listener(`its thread exited with code ${code}`));
    },
    terminate: () => worker.terminate(),
  };
}
