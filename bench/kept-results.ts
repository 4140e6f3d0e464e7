import { mkdir, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { engineSchema } from "./engine-results.ts";
import { readManifest } from "./environment.ts";
import { environmentSchema } from "./environment-schema.ts";
import { qualitySchema, vectorsSchema } from "./matrix-results.ts";
import { pageUseSchema } from "./page-use-results.ts";
import { ratiosSchema } from "./ratios-schema.ts";
import {
  browserSchema,
  comparisonSchema,
  dimensionsSchema,
  edgeSchema,
  fastapiSchema,
  growthSchema,
  loadSchema,
  serviceSchema,
  soakSchema,
  webgpuSchema,
} from "./results.ts";
import { searchSchema } from "./search-results.ts";
import { startSchema } from "./start-results.ts";

/** What each benchmark finds, in the order in which they run. */
const schemas = {
  encode: comparisonSchema,
  growth: growthSchema,
  service: serviceSchema,
  load: loadSchema,
  fastapi: fastapiSchema,
  soak: soakSchema,
  start: startSchema,
  edge: edgeSchema,
  engine: engineSchema,
  browser: browserSchema,
  page: pageUseSchema,
  webgpu: webgpuSchema,
  vectors: vectorsSchema,
  quality: qualitySchema,
  dimensions: dimensionsSchema,
  search: searchSchema,
  ratios: ratiosSchema,
};

export type BenchmarkName = keyof typeof schemas;

/** Null where a benchmark has not been run. */
export type Results = { readonly [name in BenchmarkName]: z.infer<(typeof schemas)[name]> | null };

export const benchmarkNames = Object.keys(schemas) as BenchmarkName[];

/** As before the first benchmark. */
export const noResults = Object.fromEntries(benchmarkNames.map((name) => [name, null])) as Results;

/** What every result tells, also one of an earlier schema. */
const measuredSchema = z.object({ environment: environmentSchema });

const fileOf = (name: BenchmarkName) => new URL(`../../bench/results/${name}.json`, import.meta.url);

/** Keeps a result as `bench/results/<name>.json`. */
export async function saveResult(name: BenchmarkName, result: object): Promise<void> {
  await mkdir(new URL("./", fileOf(name)), { recursive: true });
  await writeFile(fileOf(name), `${JSON.stringify(result, null, 1)}\n`);
}

/**
 * A result as it was kept. Null when this benchmark has never run, or ran with another model, which is told. Throws when the file is not
 * such a result.
 */
export async function readResult<Name extends BenchmarkName>(name: Name): Promise<Results[Name]> {
  let content: string;
  try {
    content = await readFile(fileOf(name), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  const json: unknown = JSON.parse(content);
  const { environment } = measuredSchema.parse(json);
  const { fingerprint } = await readManifest();
  if (environment.model.fingerprint !== fingerprint) {
    console.error(
      `${name}.json is left out: it was measured with another model (fingerprint ${environment.model.fingerprint.slice(0, 12)})`,
    );
    return null;
  }
  return schemas[name].parse(json) as Results[Name];
}

/** All that is kept. */
export async function readResults(): Promise<Results> {
  const entries = await Promise.all(benchmarkNames.map(async (name) => [name, await readResult(name)]));
  return Object.fromEntries(entries) as Results;
}
