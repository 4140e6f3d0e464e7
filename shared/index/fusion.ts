import type { Ranked } from "./ranking.ts";

/** Keyword search, semantic search, or both fused. */
export type SearchMode = "hybrid" | "semantic" | "keyword";

/** The scores of one kind of search. */
export interface Ranking {
  /** The best passages, best first. */
  readonly best: readonly Ranked[];
  /** The score of any passage; null if it has none. */
  scoreOf(passage: Omit<Ranked, "score">): number | null;
}

/** How many results of each ranking are fused. */
export const fusionDepth = 100;

/**
 * The sums of z-scores of all passages that are among the best of a ranking: each score against the mean and standard deviation of its
 * ranking's best. Scores of different kinds become comparable, and a clear winner keeps its distance, which reciprocal ranks lose.
 * A passage without a score counts as the worst of the best.
 */
export function fuseRankings(rankings: readonly Ranking[]): Ranked[] {
  const fused = new Map<string, Ranked>();
  const standards = rankings.map(({ best }) => standardOf(best.slice(0, fusionDepth)));
  for (const { best } of rankings) {
    for (const { segment, passage } of best) {
      const key = `${segment} ${passage}`;
      if (fused.has(key)) continue;
      let score = 0;
      for (const [i, ranking] of rankings.entries()) {
        const { mean, deviation, least } = standards[i] ?? noStandard;
        const own = Math.max(least, ranking.scoreOf({ segment, passage }) ?? least);
        score += (own - mean) / deviation;
      }
      fused.set(key, { segment, passage, score });
    }
  }
  return [...fused.values()];
}

interface Standard {
  readonly mean: number;
  readonly deviation: number;
  readonly least: number;
}

const noStandard: Standard = { mean: 0, deviation: 1, least: 0 };

function standardOf(best: readonly Ranked[]): Standard {
  if (best.length === 0) return noStandard;
  const mean = best.reduce((sum, { score }) => sum + score, 0) / best.length;
  const variance = best.reduce((sum, { score }) => sum + (score - mean) ** 2, 0) / best.length;
  return { mean, deviation: Math.sqrt(variance) || 1, least: best.at(-1)?.score ?? 0 };
}
