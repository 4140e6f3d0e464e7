/** Keyword search, semantic search, or both fused. */
export type SearchMode = "hybrid" | "semantic" | "keyword";

/** A ranked item, and the weight of its rank. */
interface Ranked<Key> {
  readonly key: Key;
  readonly weight: number;
}

/** How many results of each ranking are fused, and the constant k of reciprocal rank fusion. */
export const fusion = { depth: 200, rankConstant: 10 };

/**
 * The weight of a keyword rank against a semantic rank, by the share of the query's terms that were found in the passage.
 * A constant weight of 1 is best on the odd queries of Cranfield, which are full of terms (nDCG@10 of 0.54, against 0.53 with the
 * share). But of the 42 queries that share few words with their answer among the built-in documents, it finds 29 first, the
 * share 33, and semantic search alone 37. `npm run bench -- search` reports Cranfield's even queries.
 */
export const keywordWeight = (share: number): number => share ** 2;

/**
 * Fuses rankings, each best first, by reciprocal ranks (Cormack, Clarke and Büttcher, 2009): scores of different kinds are not
 * comparable, ranks are. Ties keep the order of the rankings.
 */
export function fuseRankings<Key>(rankings: readonly (readonly Ranked<Key>[])[], rankConstant = fusion.rankConstant): Key[] {
  const scores = new Map<Key, number>();
  for (const ranking of rankings) {
    for (const [rank, { key, weight }] of ranking.entries()) {
      scores.set(key, (scores.get(key) ?? 0) + weight / (rankConstant + rank + 1));
    }
  }
  return [...scores].sort(([, a], [, b]) => b - a).map(([key]) => key);
}
