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

export interface BrowserEncoderOptions {
  /**
   * A sentence-transformers model of the Hugging Face hub, `org/name` or `org/name@revision`, which transformers.js runs on WebGPU or on
   * its WASM. Its vectors are not promised to be the same everywhere. Default: the bundled model.
   */
  readonly model?: string;
  /** Where the hub is. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL;
  /** How many bytes a model of the hub may have. Default 500 MB; larger ones are refused with `file_too_large`. */
  readonly hubMaxBytes?: number;
  /**
   * `auto`, the default, is the WebAssembly engine, and for bulk text WebGPU: on real graphics hardware, once much text has come, where
   * it passes its self-test and is measured to be faster, and as long as it does not fail. A device that is named is used or refused.
   */
  readonly device?: "auto" | WebDevice;
  /** Workers on the engine that take any text, each on one thread. Default: half the logical cores, 1 to 4. */
  readonly workers?: number;
  /**
   * Workers on the engine that are kept for queries, besides, so that none waits while many texts are embedded. Each has the
   * model in its memory. Default 1; without effect where `device` is `webgpu`.
   */
  readonly interactiveWorkers?: number;
  /** Tokens of bulk text, without a pause, after which `auto` fetches WebGPU. Default 20,000, some ten seconds of the engine's work. */
  readonly webgpuThreshold?: number;
  /**
   * The folder that has `models` and `runtimes`, as `npx samevec assets` copies them: absolute, or relative to the page.
   * Default: the folder above the script's, which is where Vite puts what is in a site's `public`.
   */
  readonly assetsUrl?: string | URL;
  /** How long a worker may take to load, in ms, before its device is given up. Default 120,000. */
  readonly loadTimeout?: number;
  /** How long a worker may take for what it was handed, in ms, before it counts as hung. Default 60,000. */
  readonly runTimeout?: number;
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Told the device each time the model has been loaded, and when it changes. */
  readonly onDevice?: (choice: DeviceChoice) => void;
}

export interface BrowserEncoderInfo extends EncoderInfo {
  /** Null before the first load. */
  readonly choice: DeviceChoice | null;
  /** Whether the browser has kept what was downloaded for the next visit. */
  readonly kept: boolean;
}

export interface BrowserEncoder extends Encoder {
  info(): BrowserEncoderInfo;
}

/**
 * Scripts are built into a folder beside `models` and `runtimes`. Apart from `new URL`, in which a bundler would take it for
 * a file.
 */
const script = import.meta.url;

/**
 * The encoder in a browser: a pool over workers, for a page or for a worker of it. Nothing is loaded before the first
 * call. A device that is named and cannot be had rejects with `device_unavailable`, one that computes wrongly with
 * `self_test_failed`.
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
  /** Null where all texts go to one pool: where a device is named, or a model of the hub. */
  readonly router: DeviceRouter | null;
}

/** Puts the device's pool, which is opened by the first call, in front of its callers. */
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
  /** Whether the browser has kept a model of the hub. */
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

  /** Rejects with `device_unavailable` when WebGPU is named and cannot be had, and otherwise as `Encoder.load`. */
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
      // For pages that use a model of the hub alone.
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

/** With a slash at its end, without which the last part of the path would count as a file's name. */
function folderUrl(url: string | URL): URL {
  return new URL(new URL(url, location.href).href.replace(/\/*$/, "/"));
}

function checkCount(name: string, count: number, least: number): void {
  if (!Number.isInteger(count) || count < least) {
    throw new RangeError(`createEncoder: ${name} must be a whole number, at least ${least}, not ${count}`);
  }
}
