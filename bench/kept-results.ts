import { readFile, writeFile } from "node:fs/promises";
import type { z } from "zod";
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
  browser: browserSchema,
  page: pageUseSchema,
  webgpu: webgpuSchema,
  threads: comparisonSchema,
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

const fileOf = (name: BenchmarkName) => new URL(`../../bench/results/${name}.json`, import.meta.url);

/** Keeps a result as `bench/results/<name>.json`. */
export async function saveResult(name: BenchmarkName, result: object): Promise<void> {
  await writeFile(fileOf(name), `${JSON.stringify(result, null, 1)}\n`);
}

/** A result as it was kept, or null when this benchmark has never run. Throws when the file is not such a result. */
export async function readResult<Name extends BenchmarkName>(name: Name): Promise<Results[Name]> {
  let content: string;
  try {
    content = await readFile(fileOf(name), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  return schemas[name].parse(JSON.parse(content)) as Results[Name];
}

/** All that is kept. */
export async function readResults(): Promise<Results> {
  const entries = await Promise.all(benchmarkNames.map(async (name) => [name, await readResult(name)]));
  return Object.fromEntries(entries) as Results;
}
