import fc from "fast-check";
import { expect, test } from "vitest";
import { equalLengthsPerRun, oneTextPerRun, paddedLength, planRuns } from "../../shared/encoder/session.ts";
import { cutTokens } from "../../shared/encoder/tokenizer.ts";

const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { maxLength: 100 });

test("a plan holds every text once, within the policy's bounds", () => {
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 32 }), fc.integer({ min: 64, max: 8192 }), (tokens, texts, budget) => {
      const runs = planRuns(tokens, { texts, tokens: budget, lengthStep: 1 });
      expect(runs.flat().toSorted((a, b) => a - b)).toEqual([...tokens.keys()]);
      for (const run of runs) {
        expect(run.length).toBeLessThanOrEqual(texts);
        const padded = run.length * Math.max(...run.map((index) => tokens[index] ?? 0));
        if (run.length > 1) expect(padded).toBeLessThanOrEqual(budget);
      }
    }),
  );
});

test("one text per run keeps the order", () => {
  expect(planRuns([9, 3, 5], oneTextPerRun)).toEqual([[0], [1], [2]]);
});

test("texts of like length share a run", () => {
  expect(planRuns([100, 5, 101, 6], { texts: 2, tokens: 1000, lengthStep: 1 })).toEqual([
    [1, 3],
    [0, 2],
  ]);
});

test("without padding, only texts of one length share a run", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 2, max: 40 }), { maxLength: 200 }), (tokens) => {
      const runs = planRuns(tokens, equalLengthsPerRun);
      expect(runs.flat().toSorted((a, b) => a - b)).toEqual([...tokens.keys()]);
      for (const run of runs) {
        expect(new Set(run.map((index) => tokens[index])).size).toBe(1);
        expect(run.length).toBeLessThanOrEqual(8);
      }
      // As few runs as that allows.
      const counts = new Map<number, number>();
      for (const length of tokens) counts.set(length, (counts.get(length) ?? 0) + 1);
      const full = (length: number) => Math.min(8, Math.floor(256 / length));
      expect(runs).toHaveLength([...counts].reduce((sum, [length, count]) => sum + Math.ceil(count / full(length)), 0));
    }),
  );
});

test("cutting keeps the last special token", () => {
  expect(cutTokens([101, 1, 2, 3, 102], 4)).toEqual([101, 1, 2, 102]);
  expect(cutTokens([101, 1, 102], 3)).toEqual([101, 1, 102]);
});

test("counts the padding to the policy's step, and pads to it", () => {
  const policy = { texts: 8, tokens: 64, lengthStep: 16 };
  expect([1, 16, 17, 512].map((length) => paddedLength(length, policy))).toEqual([16, 16, 32, 512]);
  expect(planRuns([17, 17, 17], policy)).toEqual([[0, 1], [2]]);
  expect(paddedLength(17, { texts: 8, tokens: 64 })).toBe(17);
});
