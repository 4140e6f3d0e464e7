import type { z } from "zod";
import type { PythonPeers } from "./peers/install.ts";
import type { PeerModel } from "./peers/peer-model.ts";
import { formatSpread, spreadOf } from "./statistics.ts";

/** How much is measured, and with what. */
export interface Plan {
  /** The command that starts the same run. */
  readonly command: string;
  readonly rounds: number;
  /** Few texts and one round: checks that a benchmark runs. */
  readonly quick: boolean;
  readonly peer: PeerModel;
  /** Null without `--peers`. */
  readonly python: PythonPeers | null;
}

/** A statement about the product, its figure over all rounds, and whether the median bears it out. */
export interface Claim {
  readonly claim: string;
  readonly value: string;
  readonly holds: boolean;
}

/** What a result says in the report. */
export interface Report {
  readonly title: string;
  /** Markdown blocks. */
  readonly sections: readonly string[];
  readonly claims?: readonly Claim[];
  /** Rows of README's table: the question, and the figure. */
  readonly headlines?: readonly (readonly [string, string])[];
}

/** One file of this folder. Its result is kept in `results/<name>.json`. */
export interface Benchmark {
  readonly name: string;
  measure(plan: Plan): Promise<object>;
  /** Throws where `result` does not have the benchmark's schema. */
  report(result: unknown): Report;
}

/** Joins a benchmark's schema, measurement and report. */
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
  /** How the figure is shown. Default: a ratio. */
  readonly digits?: number;
  readonly unit?: string;
}

/** A claim about the median of `values`. Empty where nothing was measured. */
export function claimThat(
  claim: string,
  values: readonly number[],
  { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, digits = 2, unit = "×" }: Bound,
): Claim[] {
  if (values.length === 0) return [];
  const { median } = spreadOf(values);
  return [{ claim, value: `${formatSpread(values, digits)} ${unit}`.trim(), holds: median >= least && median <= most }];
}

/** Progress goes to stderr: stdout has the report of a quick run. */
export const log = (line: string) => console.error(line);

/** A contender's requirement is missing: it is skipped, and the report says so. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
