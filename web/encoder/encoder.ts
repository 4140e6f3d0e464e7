import { abortable } from "../../shared/async.ts";
import {
  type CallOptions,
  disposedError,
  type Embeddings,
  type EmbedOptions,
  type Encoder,
  type EncoderInfo,
  type Model,
  type TokenizeOptions,
  textList,
} from "../../shared/encoder/encoder.ts";
import type { Token } from "../../shared/encoder/tokenizer.ts";
import { EncoderError } from "../../shared/errors.ts";
import { type DeviceChoice, DeviceRouter } from "./device-router.ts";
import { type DownloadProgress, ModelDownload, type WebDevice } from "./download.ts";
import { createEnginePool, createWebgpuPool } from "./page-pool.ts";
import { webgpuRefusal } from "./webgpu.ts";

/** Options of {@link createEncoder}. */
export interface BrowserEncoderOptions {
  /**
   * A sentence-transformers model of the Hugging Face hub, `org/name` or `org/name@revision`. transformers.js runs it on WebGPU or WASM,
   * and its vectors may differ between platforms. Default: the bundled model.
   */
  readonly model?: string;
  /** URL of the hub. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL;
  /** Maximum bytes of a hub model. Larger models are rejected with `file_too_large`. Default 500 MB. */
  readonly hubMaxBytes?: number;
  /**
   * `auto` (the default) starts on the WebAssembly engine. After `webgpuThreshold` bulk tokens, it uses WebGPU for bulk text if the
   * adapter is hardware, passes the self-test and is measured to be faster. If WebGPU fails, it returns to the engine. If a named device
   * is not available, calls reject with `device_unavailable`.
   */
  readonly device?: "auto" | WebDevice;
  /** Number of engine workers that take any text, each on one thread. Default: half the logical cores, 1 to 4. */
  readonly workers?: number;
  /**
   * Number of additional engine workers reserved for interactive requests, so that a query never waits for a bulk job. Each holds the
   * model in its memory. Default 1. Ignored if `device` is `webgpu`.
   */
  readonly interactiveWorkers?: number;
  /** Bulk tokens without a pause after which `auto` fetches WebGPU. Default 20,000, about ten seconds of the engine's work. */
  readonly webgpuThreshold?: number;
  /**
   * URL of the folder that contains `models` and `runtimes`, as copied by `npx samevec assets`: absolute, or relative to the page.
   * Default: the parent of the script's folder, to which Vite copies a site's `public`.
   */
  readonly assetsUrl?: string | URL;
  /** Maximum ms for a worker to load. Default 120,000. */
  readonly loadTimeout?: number;
  /** Maximum ms for one call to a worker, after which it counts as hung. Default 60,000. */
  readonly runTimeout?: number;
  /** Called with the bytes downloaded so far. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Called with the device when the model has loaded, and when the device changes. */
  readonly onDevice?: (choice: DeviceChoice) => void;
}

/** The state of a browser encoder. */
export interface BrowserEncoderInfo extends EncoderInfo {
  /** The device that computes bulk text. Null before the first load. */
  readonly choice: DeviceChoice | null;
  /** Whether the browser has stored all downloaded files for the next visit. */
  readonly kept: boolean;
}

/** The encoder of a page or a Web Worker. */
export interface BrowserEncoder extends Encoder {
  info(): BrowserEncoderInfo;
}

/** Not passed to `new URL` literally: bundlers would treat the argument as a file. */
const script = import.meta.url;

/**
 * Creates the encoder of a page or a Web Worker: a pool of workers. The first call loads the model. With a named device, calls reject
 * with `device_unavailable` if the device is missing, and with `self_test_failed` if it computes wrong vectors.
 * Throws `RangeError` for an invalid number of workers or tokens.
 * @example
 * const encoder = createEncoder();
 * const { vectors } = await encoder.embed(["The tide comes in twice a day."]);
 * const query = await encoder.embed("why does the sea come and go", { inputType: "query" });
 */
export function createEncoder(options: BrowserEncoderOptions = {}): BrowserEncoder {
  return new PageEncoder(options);
}

/** A pool that has loaded. */
interface Opened {
  readonly pool: Encoder;
  /** Null if all texts go to `pool`: with a named device, or a hub model. */
  readonly router: DeviceRouter | null;
}

/** Opens the pool of the device on the first call, and forwards calls to it. */
class PageEncoder implements BrowserEncoder {
  readonly #options: BrowserEncoderOptions;
  readonly #workers: number;
  readonly #assets: URL;
  /** Cached from the first call until it fails or the encoder is disposed. */
  #opening: Promise<Opened> | null = null;
  /** The outcome of `#opening`. */
  #opened: Opened | null = null;
  #choice: DeviceChoice | null = null;
  #error: EncoderError | null = null;
  #download: ModelDownload | null = null;
  /** Whether the browser has stored the hub model. */
  #hubKept = true;
  #disposal = new AbortController();

  constructor(options: BrowserEncoderOptions) {
    const { assetsUrl, workers, interactiveWorkers = 1, webgpuThreshold = 0 } = options;
    checkCount("workers", workers ?? 1, 1);
    checkCount("interactiveWorkers", interactiveWorkers, 0);
    checkCount("webgpuThreshold", webgpuThreshold, 0);
    this.#options = options;
    this.#workers = workers ?? Math.min(4, Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)));
    this.#assets = assetsUrl === undefined ? new URL("../", script) : folderUrl(assetsUrl);
  }

  async load(options: CallOptions = {}): Promise<Model> {
    const { pool } = await abortable(this.#open(), options.signal);
    return pool.load(options);
  }

  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const called = performance.now();
    const list = textList(texts);
    if (list.length === 0) return { vectors: [], tokens: [], truncated: [], time: { queue: 0, inference: 0 } };
    const { pool, router } = await abortable(this.#open(), options.signal);
    const waited = performance.now() - called;
    const { time, ...embeddings } = await (router ?? pool).embed(list, options);
    return { ...embeddings, time: { ...time, queue: waited + time.queue } };
  }

  async tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    const list = textList(texts);
    if (list.length === 0) return [];
    const { pool } = await abortable(this.#open(), options.signal);
    return pool.tokenize(list, options);
  }

  info(): BrowserEncoderInfo {
    const { device = "auto", interactiveWorkers = 1 } = this.#options;
    const own = { choice: this.#choice, kept: (this.#download?.kept ?? false) && this.#hubKept };
    if (this.#opened) return { ...(this.#opened.router ?? this.#opened.pool).info(), ...own };
    return {
      state: this.#opening ? "loading" : this.#error ? "failed" : "idle",
      model: null,
      device: null,
      pending: { texts: 0, tokens: 0 },
      workers: { ready: 0, size: device === "webgpu" ? 1 : this.#workers + interactiveWorkers },
      error: this.#error,
      ...own,
    };
  }

  async dispose(): Promise<void> {
    this.#disposal.abort(disposedError());
    this.#disposal = new AbortController();
    this.#opening = null;
    this.#opened = null;
    this.#choice = null;
    this.#error = null;
    this.#download = null;
  }

  #open(): Promise<Opened> {
    if (this.#opening) return this.#opening;
    this.#error = null;
    const { signal } = this.#disposal;
    const opening = abortable(this.#openPool(signal), signal);
    this.#opening = opening;
    opening.then(
      (opened) => {
        if (this.#opening === opening) this.#opened = opened;
      },
      (error) => {
        if (this.#opening !== opening) return;
        this.#opening = null;
        this.#error = EncoderError.from(error, "load_failed");
      },
    );
    return opening;
  }

  /** Rejects with `device_unavailable` if WebGPU is named and missing, and otherwise as `Encoder.load`. */
  async #openPool(signal: AbortSignal): Promise<Opened> {
    const {
      device = "auto",
      model,
      hubUrl,
      hubMaxBytes,
      interactiveWorkers = 1,
      webgpuThreshold = 20_000,
      onDownload,
      onDevice,
    } = this.#options;
    const { loadTimeout = 120_000, runTimeout = 60_000 } = this.#options;
    const limits = { loadTimeout, runTimeout };
    const workers = device === "webgpu" ? 1 : this.#workers;
    this.#download ??= new ModelDownload({ assets: this.#assets, onProgress: model === undefined ? onDownload : undefined, signal });
    const download = this.#download;
    const choose = (choice: DeviceChoice) => {
      if (signal.aborted) return;
      this.#choice = choice;
      onDevice?.(choice);
    };

    if (model !== undefined) {
      // Loaded only for hub models.
      const { openHubPool } = await import("./hub-pool.ts");
      const pool = await openHubPool({
        model,
        hubUrl,
        maxBytes: hubMaxBytes,
        device,
        workers: this.#workers,
        interactiveWorkers,
        ...limits,
        loadRuntime: () => download.getRuntime(),
        signal,
        onProgress: onDownload,
        onDevice: choose,
        onKept: (kept) => {
          this.#hubKept = kept;
        },
      });
      return { pool, router: null };
    }

    const refusal = device === "webgpu" ? await webgpuRefusal({ software: true }) : null;
    if (refusal) throw new EncoderError("device_unavailable", refusal);
    signal.throwIfAborted();
    const pool =
      device === "webgpu" ? createWebgpuPool(download, limits) : createEnginePool(download, { workers, interactiveWorkers }, limits);
    signal.addEventListener("abort", () => void pool.dispose());
    await pool.load();
    choose({ device: device === "webgpu" ? "webgpu" : "wasm", reason: null, workers });
    if (device !== "auto") return { pool, router: null };

    const router = new DeviceRouter({
      engine: pool,
      workers,
      webgpuThreshold,
      webgpuRefusal: () => webgpuRefusal({ software: false }),
      createWebgpuPool: (onFailure) => createWebgpuPool(download, limits, { onRestart: ({ message }) => onFailure(message) }),
      onChoice: choose,
    });
    signal.addEventListener("abort", () => router.dispose());
    return { pool, router };
  }
}

/** Adds a trailing slash: URLs are resolved against the folder. */
function folderUrl(url: string | URL): URL {
  return new URL(new URL(url, location.href).href.replace(/\/*$/, "/"));
}

function checkCount(name: string, count: number, min: number): void {
  if (!Number.isInteger(count) || count < min) {
    throw new RangeError(`createEncoder: ${name} must be an integer of at least ${min}, not ${count}`);
  }
}
