import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import type { DownloadedModel, ModelDownload, WebDevice } from "./download.ts";
import { workerHandle } from "./worker-handle.ts";

/** The data that a worker loads a bundled model from. */
export interface PreparedModel extends DownloadedModel {
  readonly device: WebDevice;
}

/** A pool of Web Workers for a bundled model. */
export type PagePool = EncoderPool<PreparedModel>;

/** Timeouts of a pool. */
export interface PoolLimits {
  /** Maximum ms for a worker to load. */
  readonly loadTimeout: number;
  /** Maximum ms for one call to a worker, after which it counts as hung. */
  readonly runTimeout: number;
}

/** Numbers of workers on the WebAssembly engine. */
export interface EngineWorkers {
  /** Workers that take any text. */
  readonly workers: number;
  /** Additional workers reserved for interactive requests. */
  readonly interactiveWorkers: number;
}

/** Creates a pool of workers on the WebAssembly engine. The first call fetches the model and starts the workers. */
export function createEnginePool(download: ModelDownload, { workers, interactiveWorkers }: EngineWorkers, limits: PoolLimits): PagePool {
  return new EncoderPool({
    ...limits,
    spawn: spawnWorker,
    size: workers,
    interactiveWorkers,
    prepare: async () => ({ ...(await download.get("wasm")), device: "wasm" }),
  });
}

/** Creates a pool of one worker on WebGPU, which is replaced when it fails. The first call fetches the model and starts the worker. */
export function createWebgpuPool(download: ModelDownload, limits: PoolLimits, observer: EncoderObserver = {}): PagePool {
  return new EncoderPool({
    ...limits,
    spawn: spawnWorker,
    size: 1,
    prepare: async () => ({ ...(await download.get("webgpu")), device: "webgpu" }),
    observer,
  });
}

// A literal URL, which bundlers recognize.
const spawnWorker = () => workerHandle(new Worker(new URL("./encoder-worker.ts", import.meta.url), { type: "module", name: "encoder" }));
