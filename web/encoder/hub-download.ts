import * as z from "zod/mini";
import type { Model } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { type HubConfig, readHubConfig } from "../../shared/hub/config.ts";
import {
  atCommit,
  commitHeader,
  downloadFailure,
  fetchRepository,
  type HubRepository,
  hubFingerprint,
  hubRepository,
  parseHubJson,
  publicHub,
  refusalReason,
} from "../../shared/hub/repository.ts";
import { type AssetStore, openAssetStore, requireSecureContext } from "./asset-store.ts";
import { fetchFile, RefusedRequest } from "./fetch-file.ts";

/** Options of {@link downloadHubModel}. */
export interface HubDownloadOptions {
  /** URL of the hub: absolute, or relative to the page. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL | undefined;
  /**
   * Called with the bytes of all files whose download has started. The total grows, since the number of files is not known in advance.
   * The weights, by far the largest files, come last.
   */
  readonly onProgress?: ((progress: { readonly loaded: number; readonly total: number; readonly stored: number }) => void) | undefined;
  /** Ms without data after which a connection counts as lost. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** Maximum bytes of all files of a model. Default 500 MB. */
  readonly maxBytes?: number | undefined;
  /** Aborts the download. */
  readonly signal: AbortSignal;
}

const defaultMaxBytes = 500_000_000;

/** A model's files, complete and verified. A Blob is a handle, so it is posted to a worker without a copy. */
export interface DownloadedHubModel {
  readonly model: Model;
  /** Files by their names in the repository. */
  readonly files: ReadonlyMap<string, Blob>;
  /** Whether the browser has stored all files for the next visit. */
  readonly kept: boolean;
}

/** Written last, with the SHA-256 of each file: without this file, a download is incomplete. No file of a hub has this name. */
const snapshotName = "samevec-snapshot.json";
const snapshotSchema = z.object({ commit: z._default(z.nullable(z.string()), null), files: z.record(z.string(), z.string()) });
type SnapshotRecord = z.output<typeof snapshotSchema>;

/**
 * Downloads a model of the Hugging Face hub, or reads it from Cache Storage without any request. Unsupported models are rejected before
 * their weights are fetched. A branch or tag is resolved once: all files, also those that are fetched again later, belong to the commit
 * that the hub reports for the first file. Rejects with `load_failed`, with `file_too_large` if the model exceeds `maxBytes`, or with the
 * signal's reason.
 * @param id `org/name`, or `org/name@revision`
 * @example
 * const { model, files } = await downloadHubModel("sentence-transformers/all-MiniLM-L6-v2", { signal });
 */
export async function downloadHubModel(id: string, options: HubDownloadOptions): Promise<DownloadedHubModel> {
  requireSecureContext();
  const place = hubRepository(id, new URL(options.hubUrl ?? publicHub, location.href).href);
  const store = await openAssetStore(place.folder, "samevec-hub");
  const recorded = await readSnapshot(store);
  const stored = recorded && (await storedFiles(store, recorded));
  const files = new Map(stored);
  const readJson = async (name: string) => {
    const file = files.get(name);
    return file ? parseHubJson(id, name, await file.text()) : null;
  };
  const modelOf = async (config: HubConfig, hashes: Hashes): Promise<Model> => ({
    id,
    fingerprint: await hubFingerprint(hashes, config),
    ...config,
  });
  if (recorded && stored) {
    const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
    options.onProgress?.({ loaded: bytes, total: bytes, stored: bytes });
    return { model: await modelOf(await readHubConfig(id, readJson), recorded.files), files, kept: true };
  }

  const progress = progressOf(options);
  let commit = recorded?.commit ?? null;
  let remaining = options.maxBytes ?? defaultMaxBytes;
  const fetchOnce = async (name: string): Promise<boolean> => {
    if (files.has(name)) return true;
    const from = atCommit(place, commit);
    const onHeaders = (headers: Headers) => {
      if (from === place) commit = headers.get(commitHeader);
    };
    const blob = await fetchHubFile(from, name, options, { ...progress(name), onHeaders, maxBytes: remaining });
    if (!blob) return false;
    files.set(name, blob);
    remaining -= blob.size;
    return true;
  };
  const config = await fetchRepository(id, fetchOnce, readJson);
  const hashes: Record<string, string> = {};
  // One at a time, which bounds memory to the largest file.
  for (const [name, file] of files) hashes[name] = await sha256Of(file);
  const kept = await keep(store, files, { commit, files: hashes });
  return { model: await modelOf(config, hashes), files, kept };
}

/** Null if the repository has no such file. */
async function fetchHubFile(
  place: HubRepository,
  name: string,
  { stallTimeout, signal }: HubDownloadOptions,
  more: Omit<Parameters<typeof fetchFile>[1], "name" | "signal">,
): Promise<Blob | null> {
  try {
    return (await fetchFile(new URL(name, place.folder), { name, ...more, stallTimeout, signal })).blob;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EncoderError && error.code === "file_too_large") throw error;
    const cause = error instanceof EncoderError ? error.cause : error;
    const message = error instanceof Error ? error.message : String(error);
    const reason = cause instanceof RefusedRequest ? refusalReason(name, cause) : message;
    if (reason === null) return null;
    throw downloadFailure(place, reason, cause);
  }
}

type FileProgress = Required<Pick<Parameters<typeof fetchFile>[1], "onBytes" | "onAnswer">>;

/** Reports the bytes of all files. The returned function creates the callbacks of one file. */
function progressOf({ onProgress }: HubDownloadOptions): (name: string) => FileProgress {
  const loaded = new Map<string, number>();
  const announced = new Map<string, number>();
  const report = () => {
    const names = [...announced.keys()];
    onProgress?.({
      loaded: names.reduce((sum, name) => sum + (loaded.get(name) ?? 0), 0),
      total: names.reduce((sum, name) => sum + Math.max(loaded.get(name) ?? 0, announced.get(name) ?? 0), 0),
      stored: 0,
    });
  };
  return (name) => ({
    onAnswer: (bytes) => {
      announced.set(name, bytes);
      loaded.set(name, 0);
      report();
    },
    onBytes: (bytes) => {
      loaded.set(name, bytes);
      report();
    },
  });
}

/** SHA-256 of each file by its name. */
type Hashes = Readonly<Record<string, string>>;

const sha256Of = async (file: Blob) => sha256Hex(new Uint8Array(await file.arrayBuffer()));

/** The record of a completed download. Null if there is none. */
async function readSnapshot(store: AssetStore): Promise<SnapshotRecord | null> {
  const snapshot = await store.get(snapshotName);
  try {
    return snapshot && z.parse(snapshotSchema, JSON.parse(await snapshot.text()));
  } catch {
    return null;
  }
}

/** The files of a completed download. Null if any is missing or modified. */
async function storedFiles(store: AssetStore, { files: hashes }: SnapshotRecord): Promise<ReadonlyMap<string, Blob> | null> {
  const files = new Map<string, Blob>();
  try {
    for (const [name, hash] of Object.entries(hashes)) {
      const file = await store.get(name);
      if (!file || (await sha256Of(file)) !== hash) return null;
      files.set(name, file);
    }
    return files;
  } catch {
    return null;
  }
}

async function keep(store: AssetStore, files: ReadonlyMap<string, Blob>, snapshot: SnapshotRecord): Promise<boolean> {
  await store.keepOnly([]);
  for (const [name, file] of files) if (!(await store.put(name, file))) return false;
  return store.put(snapshotName, new Blob([JSON.stringify(snapshot)]));
}
