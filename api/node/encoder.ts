import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import type { WorkerHandle } from "../../shared/encoder/protocol.ts";
import { type HubOptions, hubSnapshot } from "./hub-files.ts";
import { NativeGate } from "./native-gate.ts";
import type { NodeModelOptions } from "./node-model.ts";

/** Which model a worker opens: one of `models/`, or one of the Hugging Face hub. */
export type ModelSource = { readonly directory: string } | ({ readonly hub: string } & HubOptions);

export interface NodeEncoderOptions {
  /**
   * A model of the Hugging Face hub, `org/name` or `org/name@revision`, or `{hub}` with more settings of its download; or a folder with a
   * manifest. Default: the bundled model.
   */
  readonly model?: string | ModelSource;
  /** Where the hub is of a model that is named by its id. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL;
  /**
   * What computes the bundled model: `native` is onnxruntime-node, `wasm` the WebAssembly engine, whose vectors have the same bits as in
   * pages and isolates. Default: native where onnxruntime-node is installed, else wasm. One that is named and cannot be had rejects with
   * `device_unavailable`.
   */
  readonly device?: NodeModelOptions["device"];
  /** Workers, each with a session of one thread. Default: one for each core. */
  readonly workers?: number;
  /**
   * Workers besides, for interactive requests alone: see `PoolOptions`. Where there are some, the others yield the
   * cores to them. Default 0.
   */
  readonly interactiveWorkers?: number;
  /** See `PoolOptions`. */
  readonly runTimeout?: number;
  /** See `PoolOptions`. */
  readonly patience?: number;
  /** See `PoolOptions`. */
  readonly keepTrying?: boolean;
  /** See `PoolOptions`. */
  readonly maxTokens?: number;
  /** See `PoolOptions`. */
  readonly maxWait?: number;
  readonly observer?: EncoderObserver;
}

/** The model that comes with the package, seen from `dist/api/node`. */
const bundledModel = fileURLToPath(new URL("../../../models/bge-small-en-v1.5", import.meta.url));

/** The builds of the WebAssembly engine, seen from `dist/api/node`. */
const engineDirectory = fileURLToPath(new URL("../../engine", import.meta.url));

/** What a worker loads from. */
export type PreparedModel = NodeModelOptions | Extract<ModelSource, { hub: string }>;

/**
 * The encoder in Node: a pool over worker threads. Nothing is loaded before the first call.
 * @example
 * const encoder = createEncoder({ model: "sentence-transformers/all-MiniLM-L6-v2" });
 * const { vectors } = await encoder.embed("how tides work", { inputType: "query" });
 * await encoder.dispose();
 */
export function createEncoder({
  model = { directory: bundledModel },
  hubUrl,
  device,
  workers = availableParallelism(),
  interactiveWorkers = 0,
  ...options
}: NodeEncoderOptions = {}): Encoder {
  return new EncoderPool<PreparedModel>({
    ...options,
    spawn: (role) => spawnWorker({ yielding: role === "any" && interactiveWorkers > 0 }),
    size: workers,
    interactiveWorkers,
    prepare: () => prepareModel(typeof model === "string" ? { hub: model, endpoint: hubUrl?.toString() } : model, device),
  });
}

/** A model of the hub is downloaded here, once: the workers find it on the disk. */
async function prepareModel(model: ModelSource, device: NodeModelOptions["device"]): Promise<PreparedModel> {
  if (!("hub" in model)) return { directory: model.directory, engineDirectory, device };
  await hubSnapshot(model.hub, model);
  return model;
}

/** What a worker thread starts with. */
export interface WorkerData {
  readonly gate: NativeGate["flags"];
  /** Whether the thread lets others compute first. */
  readonly yielding: boolean;
}

/** Asks a worker thread to end. Comlink, which listens on the same port, takes no notice of it. */
export type StopMessage = "stop";

/** How long `dispose` waits for a thread to end, in ms: a text takes tenths of a second. */
const stopTimeout = 10_000;

/** How long the exit of the process waits for a thread's native call, in ms. */
const exitTimeout = 2_000;

/** Of the threads that run. One listener for all of them: many would be taken for a leak. */
const gates = new Set<NativeGate>();
const closeGates = () => {
  for (const gate of gates) gate.close(exitTimeout);
};

function spawnWorker({ yielding }: Pick<WorkerData, "yielding">): WorkerHandle {
  // Without it ONNX Runtime's library writes an id of this machine to the disk and reports each session to its maker. It reads the
  // process's own environment, of which a worker thread has a copy: hence here, before there is one.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  const gate = new NativeGate();
  const workerData: WorkerData = { gate: gate.flags, yielding };
  const worker = new Worker(new URL("./encoder-worker.js", import.meta.url), { workerData });
  if (gates.size === 0) process.on("exit", closeGates);
  gates.add(gate);
  worker.once("exit", () => {
    gates.delete(gate);
    if (gates.size === 0) process.off("exit", closeGates);
  });
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  return {
    endpoint: nodeEndpoint(worker),
    onDeath(listener) {
      worker.once("error", (error: Error) => listener(error.message));
      worker.once("exit", (code) => listener(`its thread exited with code ${code}`));
    },
    async terminate() {
      // Not Worker.terminate() at once: a thread that is stopped inside onnxruntime-node's run() takes the whole process
      // with it (its binding throws into an environment that is gone). The thread ends itself between two runs.
      worker.postMessage("stop" satisfies StopMessage);
      worker.unref();
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, stopTimeout);
      });
      await Promise.race([ended, timeout]);
      clearTimeout(timer);
      // A thread that hangs in JavaScript would keep a core busy for ever. One that hangs in native code must be left.
      if (gates.has(gate) && gate.close(0)) await worker.terminate();
    },
  };
}
