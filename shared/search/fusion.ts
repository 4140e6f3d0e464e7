/** What is found: by words and by meaning, or by one of them alone. */
export type SearchMode = "hybrid" | "semantic" | "keyword";

/** What stands in a ranking, and how much its rank counts. */
interface Ranked<Key> {
  readonly key: Key;
  readonly weight: number;
}

/** How many of each ranking are fused, and how little a rank counts against the next one. */
export const fusion = { depth: 200, rankConstant: 10 };

/**
 * How much a passage's rank by words counts against one by meaning, when this share of the query's words was found in it.
 * Without the share, fusion does best on the odd queries of Cranfield, which are full of terms (an nDCG@10 of 0.54, with it
 * 0.53); but then, of the built-in documents' 42 queries that hardly share a word with their answer, 29 find it first, and
 * with it 33 (by meaning alone 37). `npm run bench -- search` reports Cranfield's even queries.
 */
export const weightByWords = (share: number): number => share ** 2;

/**
 * Fuses rankings, each best first, by reciprocal ranks (Cormack, Clarke and Büttcher, 2009): scores of different kinds
 * cannot be compared, but ranks can. What is equal keeps the order in which the rankings name it.
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
