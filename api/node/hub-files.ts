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
}

/** A model's files on the disk, complete and checked. */
export interface HubSnapshot {
  readonly directory: string;
  /** File names in the repository, each with its SHA-256. */
  readonly files: { readonly [name: string]: string };
  readonly config: HubConfig;
}

/** Written last: a folder without it is an unfinished download. */
const snapshotFile = "snapshot.json";
const snapshotSchema = z.object({ files: z.record(z.string(), z.string()) });

/**
 * Downloads a model of the Hugging Face hub, or finds it complete in the cache, where it is never looked up again.
 *
 * Not left to transformers.js, because it would download the model in every worker, keeps no hash, has no deadline, and
 * cannot fetch the files of sentence-transformers. What is unfit is refused before the weights are fetched.
 * @param id `org/name`, or `org/name@revision` for a branch, tag or commit other than `main`
 * @returns rejects with `load_failed`
 */
export async function hubSnapshot(id: string, options: HubOptions = {}): Promise<HubSnapshot> {
  const { endpoint = publicHub, cacheDirectory = join(homedir(), ".cache", "samevec"), stallTimeout = 30_000 } = options;
  const place = hubRepository(id, endpoint);
  const directory = resolve(cacheDirectory, place.repository, place.revision);
  const readJson = async (name: string) => parseHubJson(id, name, await readFile(join(directory, name), "utf8"));

  const cached = await completeFiles(directory);
  if (cached) {
    const config = await readHubConfig(id, async (name) => (name in cached ? readJson(name) : null));
    return { directory, files: cached, config };
  }

  const files: Record<string, string> = {};
  const fetchFile = async (name: string): Promise<boolean> => {
    if (name in files) return true;
    const hash = await download({ place, name, path: join(directory, name), stallTimeout });
    if (hash !== null) files[name] = hash;
    return hash !== null;
  };
  const config = await fetchRepository(id, fetchFile, readJson);
  const unfinished = join(directory, `${snapshotFile}.${randomUUID()}.part`);
  await writeFile(unfinished, JSON.stringify({ files }, null, 2));
  await rename(unfinished, join(directory, snapshotFile));
  return { directory, files, config };
}

/** The files of a finished download with their hashes. Null when any is missing or not what was downloaded. */
async function completeFiles(directory: string): Promise<{ readonly [name: string]: string } | null> {
  try {
    const { files } = snapshotSchema.parse(JSON.parse(await readFile(join(directory, snapshotFile), "utf8")));
    for (const [name, hash] of Object.entries(files)) {
      const found = createHash("sha256");
      for await (const chunk of createReadStream(join(directory, name))) found.update(chunk);
      if (found.digest("hex") !== hash) return null;
    }
    return files;
  } catch {
    return null;
  }
}

interface Download {
  readonly place: HubRepository;
  readonly name: string;
  readonly path: string;
  readonly stallTimeout: number;
}

/**
 * Fetches one file: whole under its name, or not at all.
 * @returns its SHA-256; null where the repository has no such file
 */
async function download({ place, name, path, stallTimeout }: Download): Promise<string | null> {
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
    const hash = createHash("sha256");
    await mkdir(dirname(path), { recursive: true });
    await pipeline(
      response.body,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          timer.refresh();
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(unfinished),
    );
    await rename(unfinished, path);
    return hash.digest("hex");
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
