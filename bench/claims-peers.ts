import { type Claim, judge } from "./claim.ts";
import { formatSpread, speedRatio } from "./claims.ts";
import type { Comparison } from "./results.ts";
import { spreadOf } from "./statistics.ts";

/** What is claimed against the Python peers, where they were asked for. A peer that was skipped is not beaten. */
export function peerClaims({ contenders, measurements, textSets }: Comparison): Claim[] {
  const defaults = [
    { id: "fastembed-int8-256", says: "Two workers embed abstracts at least 4 times as fast as fastembed by default, batches of 256" },
    { id: "sentence-transformers-float32-32", says: "… and as sentence-transformers by default, float32 by torch in batches of 32" },
  ].filter(({ id }) => contenders.some((contender) => contender.id === id));
  if (defaults.length === 0) return [];
  const bests = textSets.map(({ name }) => {
    const limit = name === "queries" ? 1.3 : 1;
    const lead = leadOver(measurements, name);
    const label = contenders.find(({ id }) => id === lead?.id)?.label ?? "";
    return judge(
      `Two workers embed ${name} ${limit > 1 ? `at least ${limit} times as fast as` : "faster than"} every peer that was measured, at its best setting`,
      lead?.ratio ?? null,
      (x) => (limit > 1 ? x >= limit : x > 1),
      (ratio) => `${formatSpread(ratio, 2)} × (the best: ${label})`,
    );
  });
  return [
    ...defaults.map(({ id, says }) =>
      judge(
        says,
        speedRatio(measurements, "abstracts", "pool-2", id),
        (x) => x >= 4,
        (ratio) => `${formatSpread(ratio, 2)} ×`,
      ),
    ),
    ...bests,
  ];
}

/** How much faster two workers are than the fastest of the others, by the median of its rounds. Null where there is no other. */
function leadOver(measurements: Comparison["measurements"], texts: string) {
  const others = new Set(measurements.map(({ contender }) => contender).filter((id) => !id.startsWith("pool-")));
  const leads = Array.from(others, (id) => ({
    id,
    ratio: speedRatio(measurements, texts, "pool-2", id) ?? spreadOf([Number.POSITIVE_INFINITY]),
  }));
  return leads.sort((a, b) => a.ratio.median - b.ratio.median).at(0) ?? null;
}
