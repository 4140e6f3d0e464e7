import type { z } from "zod";
import type { PythonPeers } from "./peers/install.ts";
import type { PeerModel } from "./peers/peer-model.ts";
import { formatSpread, spreadOf } from "./statistics.ts";

/** Options of a run. */
export interface Plan {
  /** The command that repeats the run. */
  readonly command: string;
  readonly rounds: number;
  /** Few texts and one round, to test the benchmark itself. */
  readonly quick: boolean;
  readonly peer: PeerModel;
  /** The Python peers; null without `--peers`. */
  readonly python: PythonPeers | null;
}

/** A statement about the product, its figure over all rounds, and whether the median confirms it. */
export interface Claim {
  readonly claim: string;
  readonly value: string;
  readonly holds: boolean;
}

/** The part of a result in the report. */
export interface Report {
  readonly title: string;
  /** Markdown blocks. */
  readonly sections: readonly string[];
  readonly claims?: readonly Claim[];
  /** Rows of the table in README.md: question and figure. */
  readonly headlines?: readonly (readonly [string, string])[];
}

/** A benchmark. Its result is stored in `results/<name>.json`. */
export interface Benchmark {
  readonly name: string;
  measure(plan: Plan): Promise<object>;
  /** Throws if `result` does not match the benchmark's schema. */
  report(result: unknown): Report;
}

/** Defines a benchmark by its schema, measurement and report. */
export function defineBenchmark<Result extends object>({
  name,
  schema,
  measure,
  report,
}: {
  readonly name: string;
  readonly schema: z.ZodType<Result>;
  readonly measure: (plan: Plan) => Promise<Result>;
  readonly report: (result: Result) => Report;
}): Benchmark {
  return { name, measure, report: (result) => report(schema.parse(result)) };
}

interface Bound {
  readonly least?: number;
  readonly most?: number;
  /** Formats the figure. Default: as a ratio. */
  readonly digits?: number;
  readonly unit?: string;
}

/** Creates a claim about the median of `values`. Empty if nothing was measured. */
export function claimThat(
  claim: string,
  values: readonly number[],
  { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, digits = 2, unit = "×" }: Bound,
): Claim[] {
  if (values.length === 0) return [];
  const { median } = spreadOf(values);
  return [{ claim, value: `${formatSpread(values, digits)} ${unit}`.trim(), holds: median >= least && median <= most }];
}

/** Writes progress to stderr: stdout is for the report. */
export const log = (line: string) => console.error(line);

/** A contender's requirement is missing: it is skipped, and the report says so. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
