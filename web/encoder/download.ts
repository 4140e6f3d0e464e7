import { compareDigests, filesOf, type Manifest, parseManifest } from "../../shared/encoder/manifest.ts";
import { EncoderError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { type AssetStore, openAssetStore, requireSecureContext } from "./asset-store.ts";
import { fetchFile } from "./fetch-file.ts";
import { type AssetFile, webgpuRuntime } from "./webgpu-runtime.ts";

/** A device of a page. */
export type WebDevice = "wasm" | "webgpu";

/** Bytes of all required files. */
export interface DownloadProgress {
  readonly loaded: number;
  readonly total: number;
  /** The part of `loaded` that the browser had stored on an earlier visit. */
  readonly stored: number;
}

/** Files, each verified by its SHA-256. A Blob is a handle, so it is posted to a worker without a copy. */
export interface DownloadedModel {
  readonly manifest: Manifest;
  /** The model's files by their names in the manifest. */
  readonly files: ReadonlyMap<string, Blob>;
  /** ONNX Runtime's WASM, gzip-compressed; null unless the device is WebGPU. */
  readonly runtime: Blob | null;
}

/** Options of a {@link ModelDownload}. */
export interface DownloadOptions {
  /** The folder that contains `models` and `runtimes`, with a trailing slash. */
  readonly assets: URL;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Aborts all downloads. */
  readonly signal: AbortSignal;
}

const modelFolder = "models/bge-small-en-v1.5/";
const manifestName = `${modelFolder}manifest.json`;

/**
 * Fetches the files that a device needs, each once, and stores them for the next visit. After a failure, the next call fetches only the
 * files that are missing.
 * @example
 * const download = new ModelDownload({ assets, signal });
 * const { manifest, files } = await download.get("wasm");
 */
export class ModelDownload {
  readonly #options: DownloadOptions;
  /** Keyed by SHA-256, as the fields below: a manifest that is fetched again may list other files. */
  readonly #files = new Map<string, Promise<Blob>>();
  readonly #loadedBytes = new Map<string, number>();
  readonly #stored = new Set<string>();
  readonly #unkept = new Set<string>();

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /** Whether the browser has stored every loaded file for the next visit. */
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

  /** Fetches only ONNX Runtime's WASM, gzip-compressed: for models that are not bundled. Rejects as `get`. */
  async getRuntime(): Promise<Blob> {
    return this.#file(runtimeFile, await this.#store(), () => this.#report([runtimeFile]));
  }

  async #store(): Promise<AssetStore> {
    requireSecureContext();
    return openAssetStore(this.#options.assets);
  }

  /** The current manifest, or the stored one when the network fails. */
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

  /** Fetches a whole file. A resumed download with a wrong hash may mix two versions, so it is fetched once more. */
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
  if (!entry) throw new EncoderError("load_failed", `The model's manifest lists ${name} without its size and SHA-256`);
  return { file: `${modelFolder}${name}`, ...entry };
}

async function readManifest(blob: Blob): Promise<Manifest> {
  const text = await blob.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new EncoderError("load_failed", "The server's response for the model's manifest is not JSON", {}, { cause: error });
  }
  return parseManifest(json);
}

const nameOf = ({ file }: AssetFile) => file.slice(file.lastIndexOf("/") + 1);

/** Rejects with `integrity_failed` unless the file has the expected size and SHA-256. */
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
