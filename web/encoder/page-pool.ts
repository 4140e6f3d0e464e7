import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import type { DownloadedModel, ModelDownload, WebDevice } from "./download.ts";
import { workerHandle } from "./worker-handle.ts";

/** What a worker loads from. */
export interface PreparedModel extends DownloadedModel {
  readonly device: WebDevice;
}

export type PagePool = EncoderPool<PreparedModel>;

export interface PoolLimits {
  /** In ms: see `PoolOptions`. */
  readonly loadTimeout: number;
  readonly runTimeout: number;
}

/** Workers on the WebAssembly engine, for all texts and for interactive ones alone. */
export interface EngineWorkers {
  readonly workers: number;
  readonly interactiveWorkers: number;
}

/** A pool of workers on the WebAssembly engine. Nothing is fetched or started before its first call. */
export function createEnginePool(download: ModelDownload, { workers, interactiveWorkers }: EngineWorkers, limits: PoolLimits): PagePool {
  return new EncoderPool({
    ...limits,
    spawn: spawnWorker,
    size: workers,
    interactiveWorkers,
    prepare: async () => ({ ...(await download.get("wasm")), device: "wasm" }),
  });
}

/** A pool of one worker on WebGPU, which is replaced when it fails. Nothing is fetched or started before its first call. */
export function createWebgpuPool(download: ModelDownload, limits: PoolLimits, observer: EncoderObserver = {}): PagePool {
  return new EncoderPool({
    ...limits,
    spawn: spawnWorker,
    size: 1,
    prepare: async () => ({ ...(await download.get("webgpu")), device: "webgpu" }),
    observer,
  });
}

// Written out, for bundlers to find.
const spawnWorker = () => workerHandle(new Worker(new URL("./encoder-worker.ts", import.meta.url), { type: "module", name: "encoder" }));
