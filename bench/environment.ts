import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { z } from "zod";
import { modelOf } from "../shared/encoder/bundled-model.ts";
import { parseManifest } from "../shared/encoder/manifest.ts";
import { createTokenizer, cutTokens } from "../shared/encoder/tokenizer.ts";
import type { Environment } from "./environment-schema.ts";

/** The folder of the bundled model, seen from `dist/bench`. */
export const modelDirectory = new URL("../../models/bge-small-en-v1.5/", import.meta.url);

const readJson = async (url: URL): Promise<unknown> => JSON.parse(await readFile(url, "utf8"));
/** What the bundled model's files are, and what it is proved by. */
export const readManifest = async () => parseManifest(await readJson(new URL("manifest.json", modelDirectory)));

/**
 * Where and with what this process runs.
 * @param command how a reader starts the same benchmark
 * @param packages those whose versions count
 */
export async function describeEnvironment(
  command: string,
  packages: readonly string[] = ["onnxruntime-node", "@huggingface/transformers"],
): Promise<Environment> {
  const versions = z.record(z.string(), z.string());
  const packageSchema = z.object({ dependencies: versions, devDependencies: versions });
  // Dependencies are pinned, so what package.json names is what is installed.
  const { dependencies, devDependencies } = packageSchema.parse(await readJson(new URL("../../package.json", import.meta.url)));
  const { id, fingerprint } = await readManifest();
  const pinned = packages.map((name) => [name, dependencies[name] ?? devDependencies[name] ?? "not a dependency"]);
  return {
    date: new Date().toISOString().slice(0, 10),
    command,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    versions: { node: process.versions.node, ...Object.fromEntries(pinned) },
    model: { id, fingerprint },
  };
}

/** What texts come to in tokens once they are cut at the model's limit: what a contender has to compute, without padding. */
export async function tokenCounter(): Promise<(texts: readonly string[]) => number> {
  const manifest = await readManifest();
  const json = z.looseObject({});
  const tokenizer = createTokenizer(
    json.parse(await readJson(new URL(manifest.tokenizer.model, modelDirectory))),
    json.parse(await readJson(new URL(manifest.tokenizer.config, modelDirectory))),
  );
  const { maxTokens } = modelOf(manifest);
  return (texts) => texts.reduce((sum, text) => sum + cutTokens(tokenizer.encode(text), maxTokens).length, 0);
}
