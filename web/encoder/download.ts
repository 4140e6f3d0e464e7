import { compareDigests, filesOf, type Manifest, parseManifest } from "../../shared/encoder/manifest.ts";
import { EncoderError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { type AssetStore, openAssetStore, requireSecureContext } from "./asset-store.ts";
import { fetchFile } from "./fetch-file.ts";
import { type AssetFile, webgpuRuntime } from "./webgpu-runtime.ts";

/** Where a page computes. */
export type WebDevice = "wasm" | "webgpu";

/** Bytes, over all files that are needed. */
export interface DownloadProgress {
  readonly loaded: number;
  readonly total: number;
  /** How many of those that are loaded the browser had kept from an earlier visit. */
  readonly stored: number;
}

/** Files, each checked against its SHA-256. A Blob is a handle: a worker is given it without a copy. */
export interface DownloadedModel {
  readonly manifest: Manifest;
  /** The model's files, by the names that the manifest gives them. */
  readonly files: ReadonlyMap<string, Blob>;
  /** ONNX Runtime's WASM, compressed with gzip; null where the device is not WebGPU. */
  readonly runtime: Blob | null;
}

export interface DownloadOptions {
  /** Where `models` and `runtimes` are, with a slash at its end. */
  readonly assets: URL;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

const modelFolder = "models/bge-small-en-v1.5/";
const manifestName = `${modelFolder}manifest.json`;

/**
 * Fetches what a device needs of a model, each file once however often it is asked for, and keeps it for the next visit. A
 * failed download is forgotten, so that the next call tries again; the files that did come are kept.
 */
export class ModelDownload {
  readonly #options: DownloadOptions;
  /** By SHA-256, as is all below: a manifest that is fetched again may name other files. */
  readonly #files = new Map<string, Promise<Blob>>();
  readonly #loadedBytes = new Map<string, number>();
  readonly #stored = new Set<string>();
  readonly #unkept = new Set<string>();

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /** Whether the next visit will find here all that was loaded. False where the browser has no room, or keeps nothing. */
  get kept(): boolean {
    return this.#unkept.size === 0;
  }

  /** Rejects with `load_failed`, `integrity_failed` or the signal's reason. */
  async get(device: WebDevice): Promise<DownloadedModel> {
    const store = await this.#store();
    const manifest = await this.#manifest(store);
    await store.keepOnly([manifestName, webgpuRuntime.sha256, ...Object.values(manifest.files).map(({ sha256 }) => sha256)]);

    const names = filesOf(manifest, device);
    const wanted = names.map((name) => modelFile(manifest, name));
    if (device === "webgpu") wanted.push(runtimeFile);
    const report = () => this.#report(wanted);
    const blobs = await Promise.all(wanted.map((file) => this.#file(file, store, report)));
    return {
      manifest,
      files: new Map(names.map((name, i) => [name, blobs[i] as Blob])), // as many as were wanted
      runtime: blobs[names.length] ?? null,
    };
  }

  /** ONNX Runtime's WASM alone, compressed with gzip: for models that are not bundled. */
  async getRuntime(): Promise<Blob> {
    return this.#file(runtimeFile, await this.#store(), () => this.#report([runtimeFile]));
  }

  async #store(): Promise<AssetStore> {
    requireSecureContext();
    return openAssetStore(this.#options.assets);
  }

  /** The newest, or without a network the one of the last visit. */
  async #manifest(store: AssetStore): Promise<Manifest> {
    const stored = await store.get(manifestName);
    try {
      const { blob } = await fetchFile(new URL(manifestName, this.#options.assets), {
        name: "manifest.json",
        signal: this.#options.signal,
        ...(stored && { attempts: 1 }),
      });
      const manifest = await readManifest(blob);
      if (!(await store.put(manifestName, blob))) this.#unkept.add(manifestName);
      return manifest;
    } catch (error) {
      if (stored && !this.#options.signal.aborted) return readManifest(stored);
      throw error;
    }
  }

  #report(wanted: readonly AssetFile[]): void {
    const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
    const loaded = wanted.reduce((sum, { sha256 }) => sum + (this.#loadedBytes.get(sha256) ?? 0), 0);
    const stored = wanted.reduce((sum, { sha256, bytes }) => sum + (this.#stored.has(sha256) ? bytes : 0), 0);
    this.#options.onProgress?.({ loaded, total, stored });
  }

  #file(wanted: AssetFile, store: AssetStore, report: () => void): Promise<Blob> {
    const { sha256 } = wanted;
    const known = this.#files.get(sha256);
    if (known) return known;
    const onBytes = (bytes: number) => {
      this.#loadedBytes.set(sha256, bytes);
      report();
    };
    const file = this.#load(wanted, store, onBytes);
    this.#files.set(sha256, file);
    file.catch(() => {
      this.#files.delete(sha256);
      onBytes(0);
    });
    return file;
  }

  async #load(wanted: AssetFile, store: AssetStore, onBytes: (bytes: number) => void): Promise<Blob> {
    const { bytes, sha256 } = wanted;
    const stored = await store.get(sha256);
    if (stored && (await isIntact(wanted, stored))) {
      this.#stored.add(sha256);
      onBytes(bytes);
      return stored;
    }
    const blob = await this.#fetch(wanted, onBytes);
    if (!(await store.put(sha256, blob))) this.#unkept.add(sha256);
    return blob;
  }

  /** A whole file. One that was put together from ranges and is wrong may be of two versions: it is fetched once more. */
  async #fetch(wanted: AssetFile, onBytes: (bytes: number) => void): Promise<Blob> {
    const fetchOnce = () =>
      fetchFile(new URL(wanted.file, this.#options.assets), {
        name: nameOf(wanted),
        bytes: wanted.bytes,
        onBytes,
        signal: this.#options.signal,
      });
    const first = await fetchOnce();
    if (first.resumed && !(await isIntact(wanted, first.blob))) return checked(wanted, (await fetchOnce()).blob);
    return checked(wanted, first.blob);
  }
}

const runtimeFile: AssetFile = { ...webgpuRuntime, file: `runtimes/${webgpuRuntime.file}` };

function modelFile(manifest: Manifest, name: string): AssetFile {
  const entry = manifest.files[name];
  if (!entry) throw new EncoderError("load_failed", `The model's manifest names ${name}, but tells neither its size nor its SHA-256`);
  return { file: `${modelFolder}${name}`, ...entry };
}

async function readManifest(blob: Blob): Promise<Manifest> {
  const text = await blob.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new EncoderError("load_failed", "What the server gives for the model's manifest is not JSON", {}, { cause: error });
  }
  return parseManifest(json);
}

const nameOf = ({ file }: AssetFile) => file.slice(file.lastIndexOf("/") + 1);

/** Rejects with `integrity_failed`. */
async function checked(wanted: AssetFile, blob: Blob): Promise<Blob> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  compareDigests(nameOf(wanted), wanted, { bytes: bytes.byteLength, sha256: await sha256Hex(bytes) });
  return blob;
}

function isIntact(wanted: AssetFile, blob: Blob): Promise<boolean> {
  return checked(wanted, blob).then(
    () => true,
    () => false,
  );
}
