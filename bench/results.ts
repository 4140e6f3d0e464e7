import { mkdir, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { environmentSchema, readManifest } from "./environment.ts";

const fileOf = (name: string) => new URL(`../../bench/results/${name}.json`, import.meta.url);

/** The common part of all results. Each benchmark's schema validates the rest. */
const resultSchema = z.looseObject({ environment: environmentSchema });

/** Stores a result as `bench/results/<name>.json`. */
export async function saveResult(name: string, result: object): Promise<void> {
  await mkdir(new URL(".", fileOf(name)), { recursive: true });
  await writeFile(fileOf(name), `${JSON.stringify(result, null, 1)}\n`);
}

/** Reads a stored result. Null if there is none, or if its model has another fingerprint, which is logged. */
export async function readResult(name: string): Promise<z.infer<typeof resultSchema> | null> {
  let content: string;
  try {
    content = await readFile(fileOf(name), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  const result = resultSchema.parse(JSON.parse(content));
  const { fingerprint } = result.environment.model;
  if (fingerprint === (await readManifest()).fingerprint) return result;
  console.error(`${name}.json is left out: it was measured with another model (fingerprint ${fingerprint.slice(0, 12)})`);
  return null;
}
