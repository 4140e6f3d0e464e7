import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { EncoderError } from "../../shared/errors.ts";
import { type HubConfig, readHubConfig } from "../../shared/hub/config.ts";
import {
  atCommit,
  byteLimit,
  commitHeader,
  downloadFailure,
  fetchRepository,
  type HubRepository,
  hubRepository,
  parseHubJson,
  publicHub,
  refusalReason,
} from "../../shared/hub/repository.ts";

export interface HubOptions {
  /** Hub URL. Default `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** Folder of downloaded models, each in `org/name/revision`. Default `~/.cache/samevec`. */
  readonly cacheDirectory?: string | undefined;
  /** ms without received data after which a download fails. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** Maximum total bytes of a model's files. Default 2 GB. */
  readonly maxBytes?: number | undefined;
}

const defaultMaxBytes = 2_000_000_000;

/** A complete, verified model on disk. */
export interface HubSnapshot {
  readonly directory: string;
  /** Commit of the files; null if the hub sent none. */
  readonly commit: string | null;
  /** SHA-256 by file name in the repository. */
  readonly files: { readonly [name: string]: string };
  readonly config: HubConfig;
}

/** Written last: a folder without it is an unfinished download. */
const snapshotFile = "snapshot.json";
const snapshotSchema = z.object({ commit: z.string().nullable().default(null), files: z.record(z.string(), z.string()) });
type SnapshotRecord = z.output<typeof snapshotSchema>;

/**
 * Downloads a Hugging Face hub model, or returns the cached copy without contacting the hub. A branch or tag is resolved once: all files,
 * including later repairs, come from the commit of the first download. Unsupported models are rejected before their weights are downloaded.
 * Rejects with `load_failed`, or with `file_too_large` when the model exceeds `maxBytes`.
 *
 * transformers.js is not used for downloads: it would download the model in every worker, stores no hashes, has no timeout, and does not
 * fetch the files of sentence-transformers.
 * @param id `org/name`, or `org/name@revision` for a branch, tag or commit other than `main`
 */
export async function hubSnapshot(id: string, options: HubOptions = {}): Promise<HubSnapshot> {
  const {
    endpoint = publicHub,
    cacheDirectory = join(homedir(), ".cache", "samevec"),
    stallTimeout = 30_000,
    maxBytes = defaultMaxBytes,
  } = options;
  const place = hubRepository(id, endpoint);
  const directory = resolve(cacheDirectory, place.repository, place.revision);
  const readJson = async (name: string) => parseHubJson(id, name, await readFile(join(directory, name), "utf8"));

  const recorded = await readSnapshot(directory);
  if (recorded && (await isComplete(directory, recorded))) {
    const { commit, files } = recorded;
    const config = await readHubConfig(id, async (name) => (name in files ? readJson(name) : null));
    return { directory, commit, files, config };
  }

  const files: Record<string, string> = {};
  let commit = recorded?.commit ?? null;
  const countBytes = byteLimit(id, maxBytes);
  const fetchFile = async (name: string): Promise<boolean> => {
    if (name in files) return true;
    const from = atCommit(place, commit);
    const downloaded = await download({ place: from, name, path: join(directory, name), stallTimeout, countBytes });
    if (downloaded) files[name] = downloaded.hash;
    if (from === place && downloaded?.commit) commit = downloaded.commit;
    return downloaded !== null;
  };
  const config = await fetchRepository(id, fetchFile, readJson);
  const unfinished = join(directory, `${snapshotFile}.${randomUUID()}.part`);
  const record: SnapshotRecord = { commit, files };
  await writeFile(unfinished, JSON.stringify(record, null, 2));
  await rename(unfinished, join(directory, snapshotFile));
  return { directory, commit, files, config };
}

/** Reads the record of a complete download; null if there is none. */
async function readSnapshot(directory: string): Promise<SnapshotRecord | null> {
  try {
    return snapshotSchema.parse(JSON.parse(await readFile(join(directory, snapshotFile), "utf8")));
  } catch {
    return null;
  }
}

/** Whether all files exist with their recorded hashes. */
async function isComplete(directory: string, { files }: SnapshotRecord): Promise<boolean> {
  try {
    for (const [name, hash] of Object.entries(files)) {
      const found = createHash("sha256");
      for await (const chunk of createReadStream(join(directory, name))) found.update(chunk);
      if (found.digest("hex") !== hash) return false;
    }
    return true;
  } catch {
    return false;
  }
}

interface Download {
  readonly place: HubRepository;
  readonly name: string;
  readonly path: string;
  readonly stallTimeout: number;
  /** Throws `file_too_large` when the model exceeds its limit. */
  readonly countBytes: (bytes: number) => void;
}

/**
 * Downloads one file atomically.
 * @returns its SHA-256 and commit; null if the repository has no such file
 */
async function download(file: Download): Promise<{ readonly hash: string; readonly commit: string | null } | null> {
  const { place, name, path, stallTimeout, countBytes } = file;
  const failure = (reason: string, cause?: unknown) => downloadFailure(place, reason, cause);
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(failure(`${name}: no data received for ${stallTimeout} ms`)), stallTimeout);
  const unfinished = `${path}.${randomUUID()}.part`;
  try {
    const response = await fetch(new URL(name, place.folder), { signal: stalled.signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      const reason = refusalReason(name, { status: response.status, code: response.headers.get("x-error-code") });
      if (reason === null) return null;
      throw failure(reason);
    }
    const announced = Number(response.headers.get("content-length") ?? 0);
    countBytes(announced);
    let received = 0;
    const hash = createHash("sha256");
    await mkdir(dirname(path), { recursive: true });
    await pipeline(
      response.body,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          timer.refresh();
          hash.update(chunk);
          received += chunk.byteLength;
          // The announced bytes are already counted. A compressed response decodes to more.
          countBytes(Math.min(chunk.byteLength, Math.max(0, received - announced)));
          yield chunk;
        }
      },
      createWriteStream(unfinished),
    );
    await rename(unfinished, path);
    return { hash: hash.digest("hex"), commit: response.headers.get(commitHeader) };
  } catch (error) {
    await rm(unfinished, { force: true });
    if (error instanceof EncoderError) throw error;
    throw failure(`${name}: ${reasonOf(error)}`, error);
  } finally {
    clearTimeout(timer);
  }
}

/** The message with its cause: `fetch` itself reports only "fetch failed" or "terminated". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
