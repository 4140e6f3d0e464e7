import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { DeviceChoice } from "./device-router.ts";
import { FallbackEncoder } from "./fallback-encoder.ts";
import { downloadHubModel, type HubDownloadOptions } from "./hub-download.ts";
import type { HubDevice } from "./hub-model.ts";
import type { PreparedHubModel } from "./hub-worker.ts";
import { webgpuRefusal } from "./webgpu.ts";
import { workerHandle } from "./worker-handle.ts";

/** Options of {@link openHubPool}. */
export interface HubPoolOptions extends HubDownloadOptions {
  /** `org/name`, or `org/name@revision`. */
  readonly model: string;
  /**
   * `auto`: WebGPU on a hardware adapter if the model returns the same vectors there as on WASM; otherwise, and after a WebGPU failure,
   * WASM. A named device is used, or `openHubPool` rejects.
   */
  readonly device: "auto" | HubDevice;
  /** Number of WASM workers that take any text. Each holds the model in its memory. */
  readonly workers: number;
  /** Additional WASM workers reserved for interactive requests. */
  readonly interactiveWorkers: number;
  /** Maximum ms for a worker to load. */
  readonly loadTimeout: number;
  /** Maximum ms for one call to a worker, after which it counts as hung. */
  readonly runTimeout: number;
  /** Returns ONNX Runtime's WASM, WebGPU build, gzip-compressed and verified. */
  readonly loadRuntime: () => Promise<Blob>;
  /** Called when the pool has loaded, and when it falls back to WASM. */
  readonly onDevice?: (choice: DeviceChoice) => void;
  /** Called with whether the browser has stored the model's files for the next visit. */
  readonly onKept?: (kept: boolean) => void;
}

/**
 * Downloads a model of the Hugging Face hub and opens a pool that has loaded it. On `auto`, a WebGPU failure replaces the pool by one on
 * WASM: see {@link FallbackEncoder}. Rejects with `load_failed`, or the signal's reason, which also disposes the pool. With a named device,
 * rejects with `device_unavailable` if the device is missing, and with `self_test_failed` if it computes wrong vectors.
 * @example
 * const pool = await openHubPool({ model: "sentence-transformers/all-MiniLM-L6-v2", device: "auto", workers: 1, … });
 */
export async function openHubPool(options: HubPoolOptions): Promise<Encoder> {
  const { device, model: id, workers, signal, onDevice } = options;
  const refusal = device === "wasm" ? null : await webgpuRefusal({ software: device === "webgpu" });
  if (refusal && device === "webgpu") throw new EncoderError("device_unavailable", refusal);
  const { model, files, kept } = await downloadHubModel(id, options);
  options.onKept?.(kept);
  const prepared = { model, files, runtime: await options.loadRuntime() };

  const createWasm = () => createPool(options, { ...prepared, device: "wasm" });
  const createWebgpu = (onFailure: (reason: string) => void) =>
    createPool({ ...options, workers: 1, interactiveWorkers: 0 }, { ...prepared, device: "webgpu" }, onFailure);
  const onWasm = device === "wasm" || refusal !== null;
  let choice: DeviceChoice = onWasm ? { device: "wasm", reason: refusal, workers } : { device: "webgpu", reason: null, workers: 1 };
  let loaded = false;
  const onFallback = (reason: string) => {
    choice = { device: "wasm", reason, workers };
    if (loaded) onDevice?.(choice);
  };
  const pool = onWasm
    ? createWasm()
    : device === "webgpu"
      ? createWebgpu(() => {})
      : new FallbackEncoder({ createWebgpu, createWasm, onFallback });
  await pool.load().catch((error) => {
    signal.throwIfAborted();
    throw error;
  });
  loaded = true;
  onDevice?.(choice);
  return pool;
}

function createPool(
  { workers, interactiveWorkers, loadTimeout, runTimeout, signal }: HubPoolOptions,
  prepared: PreparedHubModel,
  onFailure: (reason: string) => void = () => {},
): Encoder {
  signal.throwIfAborted();
  const pool = new EncoderPool({
    spawn: spawnWorker,
    size: workers,
    interactiveWorkers,
    prepare: async () => prepared,
    loadTimeout,
    runTimeout,
    observer: { onRestart: ({ message }) => onFailure(message) },
  });
  signal.addEventListener("abort", () => void pool.dispose());
  return pool;
}

// A literal URL, which bundlers recognize.
const spawnWorker = () => workerHandle(new Worker(new URL("./hub-worker.ts", import.meta.url), { type: "module", name: "hub encoder" }));
