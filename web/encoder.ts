import {
  abortable,
  type CallOptions,
  disposedError,
  type Embeddings,
  type EmbedOptions,
  type Encoder,
  type EncoderInfo,
  type Kind,
  type Model,
  type TokenizeOptions,
  textList,
} from "../shared/encoder/encoder.ts";
import { EncoderPool } from "../shared/encoder/pool.ts";
import type { WorkerHandle } from "../shared/encoder/pool-worker.ts";
import type { WebDevice } from "../shared/encoder/sessions/web.ts";
import type { Token } from "../shared/encoder/tokenizer.ts";
import { EncoderError } from "../shared/errors.ts";
import { type DownloadedModel, type DownloadProgress, ModelDownload } from "./download.ts";
import { webgpuRefusal } from "./webgpu.ts";

/** Which device computes, and why it is not WebGPU where `auto` would have preferred that; null otherwise. */
export interface DeviceChoice {
  readonly device: WebDevice;
  readonly reason: string | null;
}

export interface BrowserEncoderOptions {
  /** `auto`, the default, is WebGPU on real graphics hardware and WASM elsewhere. A device that is named is used or refused. */
  readonly device?: "auto" | WebDevice;
  /** Workers on WASM, each with a session of one thread. Default: half the logical cores, 1 to 4. WebGPU has one. */
  readonly workers?: number;
  /** The folder of the model, with a slash at its end. Default: the one that comes with the site. */
  readonly assets?: string | URL;
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Told the device each time the model has been loaded. */
  readonly onDevice?: (choice: DeviceChoice) => void;
}

/** What a worker loads from. */
export interface PreparedModel extends DownloadedModel {
  readonly device: WebDevice;
}

/** Scripts are built into a folder beside `models`. Not a literal in `new URL`, which the bundler would take for a file. */
const bundledModel = "../models/bge-small-en-v1.5/";

/**
 * The encoder in a browser: a pool over workers, for a page or for a worker of it. Nothing is loaded before the first
 * call. A device that is named and cannot be had rejects with `device_unavailable`, one that computes wrongly with
 * `self_test_failed`.
 */
export function createEncoder(options: BrowserEncoderOptions = {}): Encoder {
  return new BrowserEncoder(options);
}

/** Puts one pool, on the device that it chooses at the first call, in front of its callers. */
class BrowserEncoder implements Encoder {
  readonly #options: BrowserEncoderOptions;
  readonly #device: "auto" | WebDevice;
  readonly #workers: number;
  readonly #folder: URL;
  /** Cached from the first call until it fails or the encoder is disposed. */
  #choice: Promise<EncoderPool<PreparedModel>> | null = null;
  /** The outcome of `#choice`. */
  #pool: EncoderPool<PreparedModel> | null = null;
  #error: EncoderError | null = null;
  #download: ModelDownload | null = null;
  #disposal = new AbortController();

  constructor(options: BrowserEncoderOptions) {
    this.#options = options;
    this.#device = options.device ?? "auto";
    this.#workers = options.workers ?? Math.min(4, Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)));
    const { assets } = options;
    this.#folder = assets === undefined ? new URL(bundledModel, import.meta.url) : new URL(assets, location.href);
  }

  async load(options: CallOptions = {}): Promise<Model> {
    const pool = await abortable(this.#chosen(), options.signal);
    return pool.load(options);
  }

  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const list = textList(texts);
    const pool = await abortable(this.#chosen(), options.signal);
    return pool.embed(list, options);
  }

  async countTokens(texts: string | readonly string[], options: CallOptions & { readonly kind?: Kind } = {}): Promise<number[]> {
    const list = textList(texts);
    const pool = await abortable(this.#chosen(), options.signal);
    return pool.countTokens(list, options);
  }

  async tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    const list = textList(texts);
    const pool = await abortable(this.#chosen(), options.signal);
    return pool.tokenize(list, options);
  }

  info(): EncoderInfo {
    if (this.#pool) return this.#pool.info();
    return {
      state: this.#choice ? "loading" : this.#error ? "failed" : "idle",
      model: null,
      device: null,
      workers: { ready: 0, size: this.#device === "webgpu" ? 1 : this.#workers },
      error: this.#error,
    };
  }

  async dispose(): Promise<void> {
    this.#disposal.abort(disposedError());
    this.#disposal = new AbortController();
    this.#choice = null;
    this.#pool = null;
    this.#error = null;
    this.#download = null;
  }

  #chosen(): Promise<EncoderPool<PreparedModel>> {
    if (this.#choice) return this.#choice;
    this.#error = null;
    const { signal } = this.#disposal;
    const choice = abortable(this.#choose(signal), signal);
    this.#choice = choice;
    choice.then(
      (pool) => {
        if (this.#choice === choice) this.#pool = pool;
      },
      (error) => {
        if (this.#choice !== choice) return;
        this.#choice = null;
        this.#error = EncoderError.from(error, "load_failed");
      },
    );
    return choice;
  }

  /** A pool that has loaded, on the device that was asked for or else on the best that passes its self-test. */
  async #choose(disposal: AbortSignal): Promise<EncoderPool<PreparedModel>> {
    this.#download ??= new ModelDownload({ folder: this.#folder, onProgress: this.#options.onDownload, signal: disposal });
    const download = this.#download;
    const startWasm = async (reason: string | null) => this.#start({ device: "wasm", ...(await download.get("cpu")) }, reason, disposal);
    if (this.#device === "wasm") return startWasm(null);

    const forced = this.#device === "webgpu";
    const refusal = await webgpuRefusal({ software: forced });
    if (refusal && forced) throw new EncoderError("device_unavailable", refusal);
    if (refusal) return startWasm(refusal);
    // Outside the `try`: a download that fails is no fault of the device.
    const model = await download.get("gpu");
    try {
      return await this.#start({ device: "webgpu", ...model }, null, disposal);
    } catch (error) {
      if (forced) throw error;
      return startWasm(EncoderError.from(error).message);
    }
  }

  /** A pool of fresh workers: a realm in which a runtime has failed once may fail for ever. */
  async #start(prepared: PreparedModel, reason: string | null, disposal: AbortSignal): Promise<EncoderPool<PreparedModel>> {
    disposal.throwIfAborted();
    const size = prepared.device === "webgpu" ? 1 : this.#workers;
    const pool = new EncoderPool<PreparedModel>({ spawn: spawnWorker, size, prepare: async () => prepared });
    disposal.addEventListener("abort", () => void pool.dispose());
    await pool.load();
    this.#options.onDevice?.({ device: prepared.device, reason });
    return pool;
  }
}

function spawnWorker(): WorkerHandle {
  const worker = new Worker(new URL("./encoder-worker.ts", import.meta.url), { type: "module", name: "encoder" });
  return {
    endpoint: worker,
    onDeath(listener) {
      // A script that cannot be fetched gives an event without a message.
      worker.addEventListener("error", ({ message }) => listener(message || "its script could not be loaded"));
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}
