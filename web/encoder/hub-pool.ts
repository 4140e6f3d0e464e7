import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import { EncoderError } from "../../shared/errors.ts";
import { downloadHubModel, type HubDownloadOptions } from "./hub-download.ts";
import type { HubDevice } from "./hub-model.ts";
import type { PreparedHubModel } from "./hub-worker.ts";
import { webgpuRefusal } from "./webgpu.ts";
import { workerHandle } from "./worker-handle.ts";

export type HubPool = EncoderPool<PreparedHubModel>;

export interface HubPoolOptions extends HubDownloadOptions {
  /** `org/name`, or `org/name@revision`. */
  readonly model: string;
  /**
   * `auto` is WebGPU on real graphics hardware where the model gives the same vectors there as on WASM, and WASM elsewhere and as soon as
   * WebGPU fails. A device that is named is used or refused.
   */
  readonly device: "auto" | HubDevice;
  /** Workers on WASM that take any text, each with the model in its memory. */
  readonly workers: number;
  /** Workers on WASM that are kept for queries, besides. */
  readonly interactiveWorkers: number;
  /** In ms: see `PoolOptions`. */
  readonly loadTimeout: number;
  readonly runTimeout: number;
  /** Gives ONNX Runtime's WASM in its build for WebGPU, compressed with gzip and checked. */
  readonly loadRuntime: () => Promise<Blob>;
  /** Told the device when the pool has loaded, why it is not WebGPU, and again when the pool has to change it. */
  readonly onDevice?: (choice: { readonly device: HubDevice; readonly reason: string | null; readonly workers: number }) => void;
  /** Told whether the browser has kept the model's files for the next visit. */
  readonly onKept?: (kept: boolean) => void;
}

/**
 * A pool that has loaded a model of the Hugging Face hub. Rejects with `load_failed`, with `device_unavailable` where a device that is
 * named cannot be had, with `self_test_failed` where one that is named computes wrongly, or with the signal's reason, which also ends
 * the pool.
 * @example
 * const pool = await openHubPool({ model: "sentence-transformers/all-MiniLM-L6-v2", device: "auto", workers: 1, … });
 */
export async function openHubPool(options: HubPoolOptions): Promise<HubPool> {
  const { device, model: id, signal, onDevice } = options;
  const refusal = device === "wasm" ? null : await webgpuRefusal({ software: device === "webgpu" });
  if (refusal && device === "webgpu") throw new EncoderError("device_unavailable", refusal);
  const { model, files, kept } = await downloadHubModel(id, options);
  options.onKept?.(kept);
  const prepared = { model, files, runtime: await options.loadRuntime() };

  const openOnWasm = async (reason: string | null) => {
    const pool = createPool(options, { ...prepared, device: "wasm" }, {});
    await pool.load();
    onDevice?.({ device: "wasm", reason, workers: options.workers });
    return pool;
  };
  if (device === "wasm" || refusal) return openOnWasm(refusal);

  /** What workers that are started from now on are handed. */
  const current: { -readonly [key in keyof PreparedHubModel]: PreparedHubModel[key] } = { ...prepared, device: "webgpu" };
  const onRestart: EncoderObserver["onRestart"] = ({ message }) => {
    if (device === "webgpu" || current.device === "wasm") return;
    // The next worker, which is about to start, is a fresh realm: one in which a runtime has failed may fail for ever.
    current.device = "wasm";
    onDevice?.({ device: "wasm", reason: `WebGPU failed: ${message}`, workers: 1 });
  };
  const pool = createPool({ ...options, workers: 1, interactiveWorkers: 0 }, current, { onRestart });
  try {
    await pool.load();
  } catch (error) {
    signal.throwIfAborted();
    if (device === "webgpu") throw error;
    await pool.dispose();
    return openOnWasm(`WebGPU failed: ${error instanceof Error ? error.message : error}`);
  }
  if (current.device === "webgpu") onDevice?.({ device: "webgpu", reason: null, workers: 1 });
  return pool;
}

function createPool(
  { workers, interactiveWorkers, loadTimeout, runTimeout, signal }: HubPoolOptions,
  prepared: PreparedHubModel,
  observer: EncoderObserver,
): HubPool {
  signal.throwIfAborted();
  const prepare = async () => prepared;
  const pool = new EncoderPool({ spawn: spawnWorker, size: workers, interactiveWorkers, prepare, loadTimeout, runTimeout, observer });
  signal.addEventListener("abort", () => void pool.dispose());
  return pool;
}

// Written out, for bundlers to find.
const spawnWorker = () => workerHandle(new Worker(new URL("./hub-worker.ts", import.meta.url), { type: "module", name: "hub encoder" }));
