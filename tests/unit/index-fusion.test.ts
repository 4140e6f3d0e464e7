import fc from "fast-check";
import { expect, test } from "vitest";
import { fuseRankings, type Ranking } from "../../shared/index/fusion.ts";
import { type Ranked, TopScores } from "../../shared/index/ranking.ts";

/** A ranking of passages by their scores. */
function rankingOf(scores: ReadonlyMap<number, number>): Ranking {
  const best = [...scores].map(([passage, score]) => ({ segment: 0, passage, score })).sort((a, b) => b.score - a.score);
  return { best, scoreOf: ({ passage }) => scores.get(passage) ?? null };
}

const scores = fc
  .uniqueArray(fc.tuple(fc.nat(20), fc.double({ min: 0, max: 30, noNaN: true })), { selector: ([passage]) => passage })
  .map((list) => new Map(list));

const order = (fused: readonly Ranked[]) => [...fused].sort((a, b) => b.score - a.score).map(({ passage }) => passage);

test("a fused ranking contains the passages of both rankings once, with finite scores", () => {
  fc.assert(
    fc.property(scores, scores, (first, second) => {
      const fused = fuseRankings([rankingOf(first), rankingOf(second)]);
      expect(fused.map(({ passage }) => passage).sort((a, b) => a - b)).toEqual(
        [...new Set([...first.keys(), ...second.keys()])].sort((a, b) => a - b),
      );
      expect(fused.every(({ score }) => Number.isFinite(score))).toBe(true);
    }),
  );
});

test("a fused score is the sum of z-scores, with a missing score counted as the lowest of its ranking", () => {
  const first = new Map([
    [1, 3],
    [2, 1],
  ]);
  const second = new Map([
    [2, 10],
    [3, 4],
  ]);
  // The means are 2 and 7, the standard deviations 1 and 3.
  const fused = fuseRankings([rankingOf(first), rankingOf(second)]).map(({ passage, score }) => [passage, score]);
  expect(new Map(fused.map(([passage, score]) => [passage, score]))).toEqual(
    new Map([
      [1, 1 - 1],
      [2, -1 + 1],
      [3, -1 - 1],
    ]),
  );
});

test("fusing a single ranking, or a ranking with itself, keeps its order", () => {
  fc.assert(
    fc.property(scores, (only) => {
      const ranking = rankingOf(only);
      for (const fused of [fuseRankings([ranking]), fuseRankings([ranking, ranking])]) {
        expect(order(fused)).toEqual(ranking.best.map(({ passage }) => passage));
      }
    }),
  );
});

test("the mean and deviation of a ranking are computed from its best 100 scores", () => {
  const long = rankingOf(new Map(Array.from({ length: 300 }, (_, passage) => [passage, 1000 - passage])));
  const cut = { best: long.best.slice(0, 100), scoreOf: long.scoreOf };
  const fused = fuseRankings([long]);
  expect(fused.slice(0, 100)).toEqual(fuseRankings([cut]));
  // Later passages count as the worst of the best.
  expect(new Set(fused.slice(99).map(({ score }) => score)).size).toBe(1);
});

test("the scale and origin of a ranking's scores do not change the fused order", () => {
  const first = new Map([
    [1, 0.9],
    [2, 0.8],
    [3, 0.2],
  ]);
  const second = new Map([
    [3, 12],
    [2, 10],
    [4, 1],
  ]);
  const moved = new Map([...second].map(([passage, score]) => [passage, 100 + 7 * score]));
  const expected = order(fuseRankings([rankingOf(first), rankingOf(second)]));
  expect(order(fuseRankings([rankingOf(first), rankingOf(moved)]))).toEqual(expected);
  expect(expected[0]).toBe(2);
});

test("a passage ranked above another in both rankings is ranked above it in the fused ranking", () => {
  fc.assert(
    fc.property(scores, scores, (first, second) => {
      const fused = new Map(fuseRankings([rankingOf(first), rankingOf(second)]).map(({ passage, score }) => [passage, score]));
      for (const [a, scoreA] of first) {
        for (const [b, scoreB] of first) {
          const isBefore = scoreA > scoreB && (second.get(a) ?? -1) > (second.get(b) ?? -1) && second.has(b);
          if (isBefore) expect(fused.get(a) ?? 0).toBeGreaterThanOrEqual(fused.get(b) ?? 0);
        }
      }
    }),
  );
});

test("TopScores keeps the same scores as a full sort, with equal scores in insertion order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 60 }), fc.nat(12), (list, limit) => {
      const top = new TopScores(limit);
      for (const [item, score] of list.entries()) top.add(item, score);
      const expected = list
        .map((score, item) => ({ item, score }))
        .sort((a, b) => b.score - a.score || a.item - b.item)
        .slice(0, limit);
      expect(top.sorted()).toEqual(expected);
      // No score is above the threshold of an empty list that keeps nothing.
      const least = limit === 0 ? Number.POSITIVE_INFINITY : expected.at(-1)?.score;
      expect(top.threshold).toBe(list.length < limit ? Number.NEGATIVE_INFINITY : least);
    }),
  );
});
