import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { EncoderError } from "../../errors.ts";
import { type HubConfig, readHubConfig } from "./hub-config.ts";

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

/** `onnx/model.onnx` is float32 by the naming of transformers.js; `model_fp16`, `model_quantized` and others are not used. */
export const graphFile = "onnx/model.onnx";
const requiredFiles = ["config.json", "tokenizer_config.json", "tokenizer.json", graphFile];

const modelId = /^(?<repository>\w[\w.-]*\/\w[\w.-]*)(?:@(?<revision>\w[\w.-]*))?$/;
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
  const { endpoint = "https://huggingface.co", cacheDirectory = join(homedir(), ".cache", "samevec"), stallTimeout = 30_000 } = options;
  const { repository, revision = "main" } = modelId.exec(id)?.groups ?? {};
  if (!repository) throw new EncoderError("load_failed", `"${id}" is not a model of the hub: it should be org/name or org/name@revision`);
  const directory = resolve(cacheDirectory, repository, revision);
  const readJson = (name: string) => readJsonFile(join(directory, name), `${name} of the model ${id}`);

  const cached = await completeFiles(directory);
  if (cached) {
    const config = await readHubConfig(id, async (name) => (name in cached ? readJson(name) : null));
    return { directory, files: cached, config };
  }

  const files: Record<string, string> = {};
  const fetchFile = async (name: string): Promise<boolean> => {
    if (name in files) return true;
    const url = new URL(`${repository}/resolve/${revision}/${name}`, `${endpoint.replace(/\/+$/, "")}/`);
    const hash = await download({ id, name, url, path: join(directory, name), stallTimeout });
    if (hash !== null) files[name] = hash;
    return hash !== null;
  };
  const config = await readHubConfig(id, async (name) => ((await fetchFile(name)) ? readJson(name) : null));
  for (const name of requiredFiles) {
    if (!(await fetchFile(name))) throw new EncoderError("load_failed", `The model ${id} cannot be used: its repository has no ${name}`);
  }
  // Graphs of more than 2 GB keep their weights beside them: `model.onnx_data`, `model.onnx_data_1` and so on.
  for (let part = 0; await fetchFile(`${graphFile}_data${part === 0 ? "" : `_${part}`}`); part++);
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
  readonly id: string;
  readonly name: string;
  readonly url: URL;
  readonly path: string;
  readonly stallTimeout: number;
}

/**
 * Fetches one file: whole under its name, or not at all.
 * @returns its SHA-256; null where the repository has no such file
 */
async function download({ id, name, url, path, stallTimeout }: Download): Promise<string | null> {
  const failure = (reason: string, cause?: unknown) =>
    new EncoderError("load_failed", `The model ${id} could not be downloaded from ${url.origin}: ${reason}`, {}, { cause });
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(failure(`it sent nothing of ${name} for ${stallTimeout} ms`)), stallTimeout);
  const unfinished = `${path}.${randomUUID()}.part`;
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      const code = response.headers.get("x-error-code");
      if (code === "RevisionNotFound") throw failure("there is no such revision");
      // The hub answers 401, not 404, for a repository that is not there: it does not tell it from a private one.
      if (code === "RepoNotFound" || response.status === 401 || response.status === 403) {
        throw failure(`there is no such model, or it is not public (status ${response.status})`);
      }
      if (response.status === 404) return null;
      throw failure(`status ${response.status} for ${name}`);
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

async function readJsonFile(path: string, description: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EncoderError("load_failed", `${description} is not JSON`, {}, { cause });
  }
}
