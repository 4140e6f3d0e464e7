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
  /** The hub's address. Default `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** Where downloaded models are kept, each in `org/name/revision`. Default `~/.cache/samevec`. */
  readonly cacheDirectory?: string | undefined;
  /** How long the hub may send nothing, in ms, before a download fails. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** How many bytes all files of a model may have. Default 2 GB. */
  readonly maxBytes?: number | undefined;
}

const defaultMaxBytes = 2_000_000_000;

/** A model's files on the disk, complete and checked. */
export interface HubSnapshot {
  readonly directory: string;
  /** The commit that the files are of. Null where the hub named none. */
  readonly commit: string | null;
  /** File names in the repository, each with its SHA-256. */
  readonly files: { readonly [name: string]: string };
  readonly config: HubConfig;
}

/** Written last: a folder without it is an unfinished download. */
const snapshotFile = "snapshot.json";
const snapshotSchema = z.object({ commit: z.string().nullable().default(null), files: z.record(z.string(), z.string()) });
type SnapshotRecord = z.output<typeof snapshotSchema>;

/**
 * Downloads a model of the Hugging Face hub, or finds it complete in the cache, where it is never looked up again. A branch or tag is
 * resolved once: all files are of the commit that the hub names for the first one, and so are files that are fetched anew.
 *
 * Not left to transformers.js, because it would download the model in every worker, keeps no hash, has no deadline, and
 * cannot fetch the files of sentence-transformers. What is unfit is refused before the weights are fetched.
 * @param id `org/name`, or `org/name@revision` for a branch, tag or commit other than `main`
 * @returns rejects with `load_failed`, or with `file_too_large` where the model has more than `maxBytes`
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

/** What a finished download has recorded of itself. Null where there is none. */
async function readSnapshot(directory: string): Promise<SnapshotRecord | null> {
  try {
    return snapshotSchema.parse(JSON.parse(await readFile(join(directory, snapshotFile), "utf8")));
  } catch {
    return null;
  }
}

/** Whether all files are there, as they were downloaded. */
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
  /** Throws where the model has too many bytes. */
  readonly countBytes: (bytes: number) => void;
}

/**
 * Fetches one file: whole under its name, or not at all.
 * @returns its SHA-256 and the commit that the hub names; null where the repository has no such file
 */
async function download(file: Download): Promise<{ readonly hash: string; readonly commit: string | null } | null> {
  const { place, name, path, stallTimeout, countBytes } = file;
  const failure = (reason: string, cause?: unknown) => downloadFailure(place, reason, cause);
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(failure(`it sent nothing of ${name} for ${stallTimeout} ms`)), stallTimeout);
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
          // What was announced is counted already. Compressed answers have more.
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

/** `fetch` says only "fetch failed" and "terminated"; the reason is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
