import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import { spawnEncoderProcess } from "./encoder-process.ts";
import { type HubOptions, hubSnapshot } from "./hub-files.ts";
import type { NodeModelOptions } from "./node-model.ts";

/** A folder with a manifest, or a model of the Hugging Face hub. */
export type ModelSource = { readonly directory: string } | ({ readonly hub: string } & HubOptions);

export interface NodeEncoderOptions {
  /**
   * A Hugging Face hub model (`org/name` or `org/name@revision`), `{ hub }` with download options, or `{ directory }` with a manifest.
   * Default: the bundled model.
   */
  readonly model?: string | ModelSource;
  /** Hub URL, when `model` is a string. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL;
  /**
   * Device of the bundled model: `native` (onnxruntime-node) or `wasm` (the WebAssembly engine, with the same bits as in pages and
   * isolates). Default: `native` if onnxruntime-node is installed, otherwise `wasm`. Calls reject with `device_unavailable` when the
   * requested device is missing.
   */
  readonly device?: NodeModelOptions["device"];
  /** Worker processes, each with one thread. Default: one per core. */
  readonly workers?: number;
  /**
   * Additional workers reserved for requests of one or a few short texts. The other workers then run with a lower CPU priority. Default 0.
   */
  readonly interactiveWorkers?: number;
  /** ms after which a worker that does not respond is replaced. Default 60,000. */
  readonly runTimeout?: number;
  /** ms after which younger requests can no longer overtake a request. Default: they always can. */
  readonly patience?: number;
  /** Retry a failed model load in the background, after 1, 2, 4 … at most 30 s. Default false: the next call retries. */
  readonly keepTrying?: boolean;
  /** Maximum estimated tokens of queued and running texts. Calls beyond it reject with `overloaded`. Default: no limit. */
  readonly maxTokens?: number;
  /** Maximum estimated queue time in ms, from the measured rate. Calls beyond it reject with `overloaded`. Default: no limit. */
  readonly maxWait?: number;
  readonly observer?: EncoderObserver;
}

/** Folder of the bundled model, relative to `dist/api/node`. */
const bundledModel = fileURLToPath(new URL("../../../models/bge-small-en-v1.5", import.meta.url));

/** Folder of the WebAssembly engine's builds, relative to `dist/api/node`. */
const engineDirectory = fileURLToPath(new URL("../../engine", import.meta.url));

/** The model that workers open. */
export type PreparedModel = NodeModelOptions | Extract<ModelSource, { hub: string }>;

/**
 * Creates an encoder for Node.js: a pool of worker processes. The first call starts the processes and loads the model. They run until
 * `dispose`. Throws `RangeError` for a number of workers below 1; methods reject with an `EncoderError` as described in `Encoder`.
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
    spawn: (role) => spawnEncoderProcess({ yielding: role === "any" && interactiveWorkers > 0 }),
    size: workers,
    interactiveWorkers,
    prepare: () => prepareModel(typeof model === "string" ? { hub: model, endpoint: hubUrl?.toString() } : model, device),
  });
}

/** Downloads a hub model once, before workers open it from disk. */
async function prepareModel(model: ModelSource, device: NodeModelOptions["device"]): Promise<PreparedModel> {
  if (!("hub" in model)) return { directory: model.directory, engineDirectory, device };
  await hubSnapshot(model.hub, model);
  return model;
}
