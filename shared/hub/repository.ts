import { EncoderError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import { type HubConfig, type ReadJson, readHubConfig } from "./config.ts";

/** The default hub. */
export const publicHub = "https://huggingface.co";

/** The float32 graph, by the naming of transformers.js. `model_fp16`, `model_quantized` and others are not used. */
export const graphFile = "onnx/model.onnx";
const requiredFiles = ["config.json", "tokenizer_config.json", "tokenizer.json", graphFile];

const modelId = /^(?<repository>\w[\w.-]*\/\w[\w.-]*)(?:@(?<revision>\w[\w.-]*))?$/;

/** The location of a model on a hub. */
export interface HubRepository {
  readonly id: string;
  /** `org/name`. */
  readonly repository: string;
  /** A branch, tag or commit. */
  readonly revision: string;
  /** URL of the folder of its files, with a trailing slash. */
  readonly folder: URL;
}

/**
 * Resolves the id of a model. Throws `load_failed` for an invalid id or URL.
 * @param id `org/name`, or `org/name@revision` for a revision other than `main`
 * @param hub URL of the hub
 * @example
 * hubRepository("org/name@v2", publicHub).folder.href; // "https://huggingface.co/org/name/resolve/v2/"
 */
export function hubRepository(id: string, hub: string): HubRepository {
  const { repository, revision = "main" } = modelId.exec(id)?.groups ?? {};
  if (!repository) throw new EncoderError("load_failed", `"${id}" is not a model id: it should be org/name or org/name@revision`);
  const folder = `${hub.replace(/\/+$/, "")}/${repository}/resolve/${revision}/`;
  if (!/^https?:/.test(folder) || !URL.canParse(folder)) throw new EncoderError("load_failed", `"${hub}" is not the URL of a hub`);
  return { id, repository, revision, folder: new URL(folder) };
}

/** Response header with the commit of a revision. */
export const commitHeader = "x-repo-commit";

/** Returns the repository at a commit, whose files never change. Returns it unchanged without a commit. */
export function atCommit(place: HubRepository, commit: string | null | undefined): HubRepository {
  if (!commit || !/^[0-9a-f]{40}$/.test(commit)) return place;
  return { ...place, revision: commit, folder: new URL(`../${commit}/`, place.folder) };
}

/**
 * Limits the total bytes of a model's files.
 * @returns a function that adds bytes, and throws `file_too_large` if the total exceeds the limit
 */
export function byteLimit(id: string, limit: number): (bytes: number) => void {
  let found = 0;
  return (bytes) => {
    found += bytes;
    if (found <= limit) return;
    throw new EncoderError("file_too_large", `The model ${id} is larger than the download limit of ${limit} bytes`, { limit, found });
  };
}

/** Creates the error of a failed download. */
export function downloadFailure({ id, folder }: HubRepository, reason: string, cause?: unknown): EncoderError {
  return new EncoderError("load_failed", `The model ${id} could not be downloaded from ${folder.origin}: ${reason}`, {}, { cause });
}

/** The response of a hub without the file. */
export interface HubRefusal {
  readonly status: number;
  /** The header `x-error-code`. */
  readonly code: string | null;
}

/** Why a model cannot be downloaded, given the response for one of its files. Null if only this file is missing. */
export function refusalReason(name: string, { status, code }: HubRefusal): string | null {
  if (code === "RevisionNotFound") return "there is no such revision";
  // The hub responds with 401 for a missing repository, as for a private one.
  if (code === "RepoNotFound" || status === 401 || status === 403) return `there is no such model, or it is not public (status ${status})`;
  return status === 404 ? null : `status ${status} for ${name}`;
}

/**
 * Fetches the files of a model, one at a time. Unsupported models are rejected with `load_failed` before their weights are fetched.
 * @param fetchFile fetches a file unless it was fetched before. Resolves with whether the repository has it.
 * @param readJson reads a fetched file
 */
export async function fetchRepository(id: string, fetchFile: (name: string) => Promise<boolean>, readJson: ReadJson): Promise<HubConfig> {
  const config = await readHubConfig(id, async (name) => ((await fetchFile(name)) ? readJson(name) : null));
  for (const name of requiredFiles) {
    if (!(await fetchFile(name))) throw new EncoderError("load_failed", `The model ${id} cannot be used: its repository has no ${name}`);
  }
  // Graphs of more than 2 GB store their weights in separate files: `model.onnx_data`, `model.onnx_data_1` and so on.
  for (let part = 0; await fetchFile(`${graphFile}_data${part === 0 ? "" : `_${part}`}`); part++);
  return config;
}

/** Parses the text of a file as JSON. Throws `load_failed` if it is not JSON. */
export function parseHubJson(id: string, name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EncoderError("load_failed", `${name} of the model ${id} is not JSON`, {}, { cause });
  }
}

/**
 * SHA-256 of everything that determines a vector: the hashes of graph, weights and tokenizer, token limit, pooling, prompts.
 * @param files SHA-256 of each file by its name
 */
export async function hubFingerprint(
  files: { readonly [name: string]: string },
  { maxTokens, pooling, prompts }: HubConfig,
): Promise<string> {
  const decisiveFiles = Object.entries(files).filter(([name]) => name.startsWith("tokenizer") || name.startsWith(graphFile));
  const hashes = Object.fromEntries(decisiveFiles.sort(([a], [b]) => (a < b ? -1 : 1)));
  const decisive = { files: hashes, maxTokens, pooling, prompts: { passage: prompts.passage, query: prompts.query } };
  return sha256Hex(new TextEncoder().encode(JSON.stringify(decisive)));
}
