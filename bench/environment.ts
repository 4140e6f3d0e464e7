import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { z } from "zod";
import { modelOf } from "../shared/encoder/bundled-model.ts";
import { parseManifest } from "../shared/encoder/manifest.ts";
import { createTokenizer, cutTokens } from "../shared/encoder/tokenizer.ts";

/** Folder of the bundled model, relative to `dist/bench`. */
export const modelDirectory = new URL("../../models/bge-small-en-v1.5/", import.meta.url);

const readJson = async (url: URL): Promise<unknown> => JSON.parse(await readFile(url, "utf8"));
export const readManifest = async () => parseManifest(await readJson(new URL("manifest.json", modelDirectory)));

export const environmentSchema = z.object({
  date: z.iso.date(),
  command: z.string(),
  cpu: z.string(),
  cores: z.number(),
  memoryBytes: z.number(),
  platform: z.string(),
  versions: z.record(z.string(), z.string()),
  model: z.object({ id: z.string(), fingerprint: z.string() }),
});

/** Machine, versions and model of a run. */
export type Environment = z.infer<typeof environmentSchema>;

/** @param packages packages whose versions are part of the result */
export async function describeEnvironment(command: string, packages: readonly string[]): Promise<Environment> {
  const versions = z.record(z.string(), z.string());
  const packageSchema = z.object({ dependencies: versions, devDependencies: versions });
  // package.json pins exact versions.
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

/** Describes an environment in a line of Markdown. */
export function environmentLine({ command, date, cpu, cores, memoryBytes, platform, versions, model }: Environment): string {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `\`${command}\`, ${date}: ${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${platform};`,
    `${software.join(", ")}; model ${model.id}, fingerprint ${model.fingerprint.slice(0, 12)}.`,
  ].join(" ");
}

/** Counts the tokens of texts after truncation at the model's limit, without padding. */
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
