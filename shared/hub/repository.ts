import { EncoderError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import { type HubConfig, type ReadJson, readHubConfig } from "./config.ts";

/** Where models are looked for unless somebody says otherwise. */
export const publicHub = "https://huggingface.co";

/** `onnx/model.onnx` is float32 by the naming of transformers.js; `model_fp16`, `model_quantized` and others are not used. */
export const graphFile = "onnx/model.onnx";
const requiredFiles = ["config.json", "tokenizer_config.json", "tokenizer.json", graphFile];

const modelId = /^(?<repository>\w[\w.-]*\/\w[\w.-]*)(?:@(?<revision>\w[\w.-]*))?$/;

/** A model's place on a hub. */
export interface HubRepository {
  readonly id: string;
  /** `org/name`. */
  readonly repository: string;
  /** A branch, tag or commit. */
  readonly revision: string;
  /** The folder of its files, with a slash at its end. */
  readonly folder: URL;
}

/**
 * @param id `org/name`, or `org/name@revision` for a revision other than `main`
 * @param hub the hub's address
 * Throws `load_failed` where one of them is none.
 */
export function hubRepository(id: string, hub: string): HubRepository {
  const { repository, revision = "main" } = modelId.exec(id)?.groups ?? {};
  if (!repository) throw new EncoderError("load_failed", `"${id}" is not a model of the hub: it should be org/name or org/name@revision`);
  const folder = `${hub.replace(/\/+$/, "")}/${repository}/resolve/${revision}/`;
  if (!/^https?:/.test(folder) || !URL.canParse(folder)) throw new EncoderError("load_failed", `"${hub}" is not the address of a hub`);
  return { id, repository, revision, folder: new URL(folder) };
}

/** The header in which a hub names the commit that a revision stands for. */
export const commitHeader = "x-repo-commit";

/** The same model at a commit, whose files never change. The place as it is where the hub names no commit. */
export function atCommit(place: HubRepository, commit: string | null | undefined): HubRepository {
  if (!commit || !/^[0-9a-f]{40}$/.test(commit)) return place;
  return { ...place, revision: commit, folder: new URL(`../${commit}/`, place.folder) };
}

/**
 * Counts the bytes of a model's files against a limit.
 * @returns a function that adds bytes and throws `file_too_large` where there are too many
 */
export function byteLimit(id: string, limit: number): (bytes: number) => void {
  let found = 0;
  return (bytes) => {
    found += bytes;
    if (found <= limit) return;
    throw new EncoderError("file_too_large", `The model ${id} is larger than the ${limit} bytes that may be downloaded`, { limit, found });
  };
}

/** That a model could not be downloaded, and why. */
export function downloadFailure({ id, folder }: HubRepository, reason: string, cause?: unknown): EncoderError {
  return new EncoderError("load_failed", `The model ${id} could not be downloaded from ${folder.origin}: ${reason}`, {}, { cause });
}

/** How a hub refused a file. */
export interface HubRefusal {
  readonly status: number;
  /** Its header `x-error-code`. */
  readonly code: string | null;
}

/** Why a model cannot be downloaded that the hub refused a file of. Null where only this file is not there. */
export function refusalReason(name: string, { status, code }: HubRefusal): string | null {
  if (code === "RevisionNotFound") return "there is no such revision";
  // The hub answers 401, not 404, for a repository that is not there: it does not tell it from a private one.
  if (code === "RepoNotFound" || status === 401 || status === 403) return `there is no such model, or it is not public (status ${status})`;
  return status === 404 ? null : `status ${status} for ${name}`;
}

/**
 * Fetches all files that a model needs, one after the other. What is unfit is refused before the weights are fetched.
 * @param fetchFile fetches a file, once however often it is called. Resolves with whether the repository has it.
 * @param readJson reads a file that has been fetched
 */
export async function fetchRepository(id: string, fetchFile: (name: string) => Promise<boolean>, readJson: ReadJson): Promise<HubConfig> {
  const config = await readHubConfig(id, async (name) => ((await fetchFile(name)) ? readJson(name) : null));
  for (const name of requiredFiles) {
    if (!(await fetchFile(name))) throw new EncoderError("load_failed", `The model ${id} cannot be used: its repository has no ${name}`);
  }
  // Graphs of more than 2 GB keep their weights beside them: `model.onnx_data`, `model.onnx_data_1` and so on.
  for (let part = 0; await fetchFile(`${graphFile}_data${part === 0 ? "" : `_${part}`}`); part++);
  return config;
}

/** Reads a file's text as JSON. Throws `load_failed`. */
export function parseHubJson(id: string, name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EncoderError("load_failed", `${name} of the model ${id} is not JSON`, {}, { cause });
  }
}

/**
 * SHA-256 over everything that decides a vector: graph, weights and tokenizer by their hashes, token limit, pooling, prompts.
 * @param files names, each with its SHA-256
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
