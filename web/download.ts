import { checkIntegrity, filesOf, type GraphName, type Manifest, parseManifest } from "../shared/encoder/manifest.ts";
import { EncoderError } from "../shared/errors.ts";

/** Bytes, over all files that the device needs; what was already stored counts as loaded. */
export interface DownloadProgress {
  readonly loaded: number;
  readonly total: number;
}

/** A model's files, each checked against its manifest. A Blob is a handle: a worker is given it without a copy. */
export interface DownloadedModel {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Blob>;
}

export interface DownloadOptions {
  /** The model's folder, with a slash at its end. */
  readonly folder: URL;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

/** A download of which nothing has come for so long, in ms, has failed. */
const stallTimeout = 30_000;

/**
 * Fetches a model's files, each once however often it is asked for, and stores them for the next visit. A failed
 * download is forgotten, so that the next call tries again; the files that did come are kept.
 */
export class ModelDownload {
  readonly #options: DownloadOptions;
  /** By SHA-256, as is all below: a manifest that is fetched again may name other files. */
  readonly #files = new Map<string, Promise<Blob>>();
  readonly #loadedBytes = new Map<string, number>();

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /** The files that a graph needs. Rejects with `load_failed`, `integrity_failed` or the signal's reason. */
  async get(graph: GraphName): Promise<DownloadedModel> {
    if (!isSecureContext) {
      throw new EncoderError(
        "load_failed",
        "Browsers check and store a model in secure contexts alone: open the page over https or on localhost",
      );
    }
    const manifest = parseManifest(await this.#fetch("manifest.json", () => {}, readJson));
    const names = filesOf(manifest, graph);
    const entries = names.map((name) => entryOf(manifest, name));
    const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    const report = () => {
      const loaded = entries.reduce((sum, { sha256 }) => sum + (this.#loadedBytes.get(sha256) ?? 0), 0);
      this.#options.onProgress?.({ loaded, total });
    };
    const store = await openStore(manifest, this.#options.folder);
    const files = await Promise.all(names.map(async (name) => [name, await this.#file(manifest, name, store, report)] as const));
    return { manifest, files: new Map(files) };
  }

  #file(manifest: Manifest, name: string, store: BlobStore, report: () => void): Promise<Blob> {
    const { sha256 } = entryOf(manifest, name);
    const known = this.#files.get(sha256);
    if (known) return known;
    const onBytes = (bytes: number) => {
      this.#loadedBytes.set(sha256, bytes);
      report();
    };
    const file = this.#load(manifest, name, store, onBytes);
    this.#files.set(sha256, file);
    file.catch(() => {
      this.#files.delete(sha256);
      onBytes(0);
    });
    return file;
  }

  async #load(manifest: Manifest, name: string, store: BlobStore, onBytes: (bytes: number) => void): Promise<Blob> {
    const { bytes, sha256 } = entryOf(manifest, name);
    const stored = await store.get(sha256);
    if (stored && (await isIntact(manifest, name, stored))) {
      onBytes(bytes);
      return stored;
    }
    const fetched = await this.#fetch(name, onBytes, (response) => response.blob());
    await checkIntegrity(manifest, name, await bytesOf(fetched));
    await store.put(sha256, fetched);
    return fetched;
  }

  /** @param onBytes told how many bytes have come so far */
  async #fetch<T>(name: string, onBytes: (bytes: number) => void, read: (response: Response) => Promise<T>): Promise<T> {
    const stall = new AbortController();
    const onStall = () => stall.abort(new EncoderError("load_failed", `${name} did not come: nothing arrived for ${stallTimeout} ms`));
    let timer = setTimeout(onStall, stallTimeout);
    let loaded = 0;
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        clearTimeout(timer);
        timer = setTimeout(onStall, stallTimeout);
        loaded += chunk.byteLength;
        onBytes(loaded);
        controller.enqueue(chunk);
      },
    });
    try {
      const response = await fetch(new URL(name, this.#options.folder), {
        signal: AbortSignal.any([this.#options.signal, stall.signal]),
        // Names stay when a site is deployed anew: what a browser has under them may be the last model's.
        cache: "no-cache",
      });
      if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
      return await read(new Response(response.body.pipeThrough(counter)));
    } catch (error) {
      if (error instanceof EncoderError) throw error;
      throw new EncoderError(
        "load_failed",
        `${name} could not be fetched: ${error instanceof Error ? error.message : error}`,
        {},
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Blobs by SHA-256. No method rejects: what cannot be stored is fetched again. */
interface BlobStore {
  get(sha256: string): Promise<Blob | null>;
  put(sha256: string, blob: Blob): Promise<void>;
}

/** The model's own cache in Cache Storage, rid of what no manifest names any more. One that stores nothing where there is none. */
async function openStore(manifest: Manifest, folder: URL): Promise<BlobStore> {
  const urlOf = (sha256: string) => new URL(sha256, folder);
  try {
    const cache = await caches.open(`samevec ${manifest.id}`);
    const urls = new Set(Object.values(manifest.files).map(({ sha256 }) => urlOf(sha256).href));
    for (const { url } of await cache.keys()) if (!urls.has(url)) await cache.delete(url);
    return {
      get: async (sha256) => (await cache.match(urlOf(sha256)).catch(() => undefined))?.blob() ?? null,
      put: (sha256, blob) => cache.put(urlOf(sha256), new Response(blob)).catch(() => {}),
    };
  } catch {
    return { get: async () => null, put: async () => {} };
  }
}

function entryOf(manifest: Manifest, name: string): Manifest["files"][string] {
  const entry = manifest.files[name];
  if (!entry) throw new EncoderError("load_failed", `The model's manifest names ${name}, but tells neither its size nor its SHA-256`);
  return entry;
}

async function isIntact(manifest: Manifest, name: string, blob: Blob): Promise<boolean> {
  return checkIntegrity(manifest, name, await bytesOf(blob)).then(
    () => true,
    () => false,
  );
}

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

const readJson = (response: Response): Promise<unknown> => response.json();
