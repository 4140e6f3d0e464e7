import type { Spread } from "./statistics.ts";

/** What the project promises, and whether the figures bear it out. */
export interface Claim {
  readonly says: string;
  /** The figure over all rounds, ready to show; null where what it takes was skipped. */
  readonly found: string | null;
  readonly verdict: "holds" | "holds in the median, not in every round" | "falls short" | "not measured (skipped)";
}

/** @param found null where what it takes was skipped */
export function judge(says: string, found: Spread | null, holds: (figure: number) => boolean, show: (found: Spread) => string): Claim {
  if (!found) return { says, found, verdict: "not measured (skipped)" };
  const inEveryRound = holds(found.min) && holds(found.max);
  const verdict = !holds(found.median) ? "falls short" : inEveryRound ? "holds" : "holds in the median, not in every round";
  return { says, found: show(found), verdict };
}

/** Of a figure that comes out the same each time, or of which there is one. */
export function judgeOnce(says: string, figure: number, holds: (figure: number) => boolean, show: string): Claim {
  return judge(says, { median: figure, min: figure, max: figure }, holds, () => show);
}
