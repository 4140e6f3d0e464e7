import type { EncoderObserver } from "../shared/encoder/observer.ts";
import { EncoderPool } from "../shared/encoder/pool.ts";
import type { Duty, WorkerHandle } from "../shared/encoder/pool-worker.ts";
import type { Speed } from "../shared/encoder/session.ts";
import type { WebDevice } from "../shared/encoder/sessions/web.ts";
import { EncoderError } from "../shared/errors.ts";
import type { DownloadedModel, ModelDownload, Needs } from "./download.ts";
import { webgpuRefusal } from "./webgpu.ts";

/** What a worker loads from. */
export interface PreparedModel extends DownloadedModel {
  /** Where a worker computes, by what it is for. */
  readonly devices: Readonly<Record<Duty, WebDevice>>;
  /** Whether a worker tells how fast it is. */
  readonly measure: boolean;
}

export type DevicePool = EncoderPool<PreparedModel>;

/** Which device computes, and why it is not WebGPU where `auto` would have preferred that; null otherwise. */
export interface DeviceChoice {
  readonly device: WebDevice;
  readonly reason: string | null;
  /** Workers that take any text, without those that are kept for queries. */
  readonly workers: number;
}

export interface DevicePoolOptions {
  readonly device: "auto" | WebDevice;
  /** Workers on WASM that take any text. */
  readonly workers: number;
  /** Workers on WASM that are kept for queries, besides. */
  readonly interactiveWorkers: number;
  /** In ms: see `PoolOptions`. */
  readonly loadTimeout: number;
  readonly runTimeout: number;
  readonly download: ModelDownload;
  /** Told the device when the pool has loaded, and again when the pool has to change it. */
  readonly onDevice: (choice: DeviceChoice) => void;
  readonly signal: AbortSignal;
}

const wasmNeeds: Needs = { graphs: ["cpu"], runtime: "wasm" };
const wasmOnly = { any: "wasm", interactive: "wasm" } as const;

/**
 * How much faster the runtime that is built for WASM computes there than the one that is built for WebGPU, by which the
 * worker for queries is measured. Single timings of a text of 128 tokens, on a busy machine, lay between 1.5 and 5.8 times:
 * a guess that keeps a GPU from being chosen for a small gain.
 */
const plainRuntimeGain = 2;

/**
 * A pool that has loaded, on the device that was asked for or else on the best that proves itself. Each start is in fresh
 * workers: a realm in which a runtime has failed once may fail for ever. Rejects with `device_unavailable` when a device
 * that is named cannot be had, and otherwise as `Encoder.load`.
 */
export async function openDevicePool(options: DevicePoolOptions): Promise<DevicePool> {
  if (options.device === "wasm") return openOnWasm(options, null);
  const forced = options.device === "webgpu";
  const refusal = await webgpuRefusal({ software: forced });
  if (refusal && forced) throw new EncoderError("device_unavailable", refusal);
  if (refusal) return openOnWasm(options, refusal);
  return forced ? openOnWebgpu(options) : openOnBest(options);
}

async function openOnWasm(options: DevicePoolOptions, reason: string | null): Promise<DevicePool> {
  const { download, workers, interactiveWorkers, onDevice } = options;
  const prepared = { ...(await download.get(wasmNeeds)), devices: wasmOnly, measure: false };
  const pool = createPool(options, { size: workers, interactiveWorkers, prepare: async () => prepared });
  await pool.load();
  onDevice({ device: "wasm", reason, workers });
  return pool;
}

/** All on WebGPU, whatever it costs: its one worker is replaced when it fails, and what cannot be computed there fails. */
async function openOnWebgpu(options: DevicePoolOptions): Promise<DevicePool> {
  const model = await options.download.get({ graphs: ["gpu"], runtime: "webgpu" });
  const prepared = { ...model, devices: { any: "webgpu", interactive: "webgpu" }, measure: false } as const;
  const pool = createPool(options, { size: 1, interactiveWorkers: 0, prepare: async () => prepared });
  await pool.load();
  options.onDevice({ device: "webgpu", reason: null, workers: 1 });
  return pool;
}

/**
 * One worker on WebGPU for all texts and the others on WASM for queries, when both are measured and that pays; else, and
 * as soon as WebGPU fails in any way, all on WASM. The pool and the texts in it stay: they move to the new workers.
 */
async function openOnBest(options: DevicePoolOptions): Promise<DevicePool> {
  const { download, workers, onDevice } = options;
  // Outside all that follows: a download that fails is no fault of the device.
  const model = await download.get({ graphs: ["gpu", "cpu"], runtime: "webgpu" });
  const prepared: PreparedModel = { ...model, devices: { any: "webgpu", interactive: "wasm" }, measure: true };

  let choice: DeviceChoice | null = null;
  let decide = () => {};
  const decided = new Promise<void>((resolve) => {
    decide = resolve;
  });
  const choose = (chosen: DeviceChoice) => {
    choice = chosen;
    onDevice(chosen);
    decide();
  };
  const fallBack = (reason: string) => {
    if (choice?.device === "wasm") return;
    // The slower runtime is here already, and better than none when the other one cannot be fetched.
    const prepare = async () => ({ ...(await download.get(wasmNeeds).catch(() => model)), devices: wasmOnly, measure: false });
    choose({ device: "wasm", reason, workers });
    pool.replaceWorkers({ size: workers, prepare });
  };

  const speeds: { [duty in Duty]?: Speed | null } = options.interactiveWorkers > 0 ? {} : { interactive: null };
  const compare = () => {
    const { any, interactive } = speeds;
    if (choice || any === undefined || interactive === undefined) return;
    if (!any || !interactive) return choose({ device: "webgpu", reason: null, workers: 1 });
    if (any.tokensPerSecond < interactive.tokensPerSecond * plainRuntimeGain * workers) {
      return fallBack("WebGPU was measured, and is slower than WASM here");
    }
    pool.interactiveFirst = any.query < interactive.query ? "any" : "interactive";
    choose({ device: "webgpu", reason: null, workers: 1 });
  };

  const onFailure: EncoderObserver["onRestart"] = ({ duty, message }) => {
    if (duty === "any") fallBack(`WebGPU failed: ${message}`);
    if (duty === "interactive" && speeds.interactive === undefined) {
      speeds.interactive = null;
      compare();
    }
  };
  const pool = createPool(options, {
    size: 1,
    interactiveWorkers: options.interactiveWorkers,
    prepare: async () => prepared,
    observer: {
      onLoad({ duty, speed }) {
        speeds[duty] ??= speed;
        compare();
      },
      onLoadFailure: onFailure,
      onRestart: onFailure,
    },
  });
  await Promise.all([pool.load(), decided]);
  return pool;
}

type PoolShape = Pick<ConstructorParameters<typeof EncoderPool<PreparedModel>>[0], "size" | "interactiveWorkers" | "prepare" | "observer">;

function createPool({ loadTimeout, runTimeout, signal }: DevicePoolOptions, shape: PoolShape): DevicePool {
  signal.throwIfAborted();
  const pool = new EncoderPool<PreparedModel>({ spawn: spawnWorker, loadTimeout, runTimeout, ...shape });
  signal.addEventListener("abort", () => void pool.dispose());
  return pool;
}

function spawnWorker(): WorkerHandle {
  const worker = new Worker(new URL("./encoder-worker.ts", import.meta.url), { type: "module", name: "encoder" });
  return {
    endpoint: worker,
    onDeath(listener) {
      worker.addEventListener("error", (event) => {
        // It is dealt with here: nothing is left to report for the page's console.
        event.preventDefault();
        // A script that cannot be fetched gives an event without a message.
        listener(event.message?.replace(/^Uncaught (\w*Error: )?/, "") || "its script could not be loaded");
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}
