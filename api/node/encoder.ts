import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import { spawnEncoderProcess } from "./encoder-process.ts";
import { type HubOptions, hubSnapshot } from "./hub-files.ts";
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
 * The encoder in Node: a pool of worker processes. Nothing is loaded before the first call. The processes run until `dispose`.
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

/** A model of the hub is downloaded here, once: the workers find it on the disk. */
async function prepareModel(model: ModelSource, device: NodeModelOptions["device"]): Promise<PreparedModel> {
  if (!("hub" in model)) return { directory: model.directory, engineDirectory, device };
  await hubSnapshot(model.hub, model);
  return model;
}
