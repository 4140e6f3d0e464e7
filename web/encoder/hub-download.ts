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

export interface HubDownloadOptions {
  /** Where the hub is: absolute, or relative to the page. Default `https://huggingface.co`. */
  readonly hubUrl?: string | URL | undefined;
  /**
   * Told the bytes over the files that were begun: how many files there will be is not known ahead, but the weights, which are by far the
   * most, come last.
   */
  readonly onProgress?: ((progress: { readonly loaded: number; readonly total: number; readonly stored: number }) => void) | undefined;
  /** How long the hub may send nothing, in ms, before a request counts as cut. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** How many bytes all files of a model may have. Default 500 MB. */
  readonly maxBytes?: number | undefined;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

const defaultMaxBytes = 500_000_000;

/** A model's files, complete and checked. A Blob is a handle: a worker is given it without a copy. */
export interface DownloadedHubModel {
  readonly model: Model;
  /** By their names in the repository. */
  readonly files: ReadonlyMap<string, Blob>;
  /** Whether the browser has kept all of them for the next visit. */
  readonly kept: boolean;
}

/** Written last, with the SHA-256 of each file: without it a download is unfinished. No hub's file has its name. */
const snapshotName = "samevec-snapshot.json";
const snapshotSchema = z.object({ commit: z._default(z.nullable(z.string()), null), files: z.record(z.string(), z.string()) });
type SnapshotRecord = z.output<typeof snapshotSchema>;

/**
 * Downloads a model of the Hugging Face hub, or finds it whole in Cache Storage, where it is never looked up again. What is unfit is
 * refused before its weights are fetched. A branch or tag is resolved once: all files are of the commit that the hub names for the first
 * one, and so are files that are fetched anew. Rejects with `load_failed`, with `file_too_large` where the model has more than
 * `maxBytes`, or with the signal's reason.
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
  const described = async (config: HubConfig, hashes: Hashes): Promise<Model> => ({
    id,
    fingerprint: await hubFingerprint(hashes, config),
    ...config,
  });
  if (recorded && stored) {
    const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
    options.onProgress?.({ loaded: bytes, total: bytes, stored: bytes });
    return { model: await described(await readHubConfig(id, readJson), recorded.files), files, kept: true };
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
  // One after the other: the bytes of all at once would be in memory.
  for (const [name, file] of files) hashes[name] = await sha256Of(file);
  const kept = await keep(store, files, { commit, files: hashes });
  return { model: await described(config, hashes), files, kept };
}

/** Null where the repository has no such file. */
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

/** Counts the bytes of all files, by the name of each. */
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

/** File names, each with its SHA-256. */
type Hashes = Readonly<Record<string, string>>;

const sha256Of = async (file: Blob) => sha256Hex(new Uint8Array(await file.arrayBuffer()));

/** What a finished download has recorded of itself. Null where there is none. */
async function readSnapshot(store: AssetStore): Promise<SnapshotRecord | null> {
  const snapshot = await store.get(snapshotName);
  try {
    return snapshot && z.parse(snapshotSchema, JSON.parse(await snapshot.text()));
  } catch {
    return null;
  }
}

/** The files of a finished download. Null when any is missing or not what was downloaded. */
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
