import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchPolicy, oneTextPerRun, paddedLength, textsOfRun } from "../../shared/encoder/session.ts";
import { cutTokens } from "../../shared/encoder/tokenizer.ts";

const lengths = fc.array(fc.integer({ min: 1, max: 512 }), { minLength: 1, maxLength: 100 });
const policies = fc.record(
  { texts: fc.integer({ min: 1, max: 32 }), tokens: fc.integer({ min: 1, max: 4096 }), lengthStep: fc.integer({ min: 1, max: 64 }) },
  { requiredKeys: ["texts", "tokens"] },
);

/** What a run computes: the tokens of its texts, or each text's padded to the longest. */
function cost(run: readonly number[], policy: BatchPolicy): number {
  if (policy.lengthStep === undefined) return run.reduce((sum, length) => sum + length, 0);
  return run.length * paddedLength(Math.max(...run), policy);
}

test("a run has at least one text and stays within the policy, unless it is a single text", () => {
  fc.assert(
    fc.property(lengths, policies, fc.nat(99), (tokens, policy, at) => {
      const first = at % tokens.length;
      const count = textsOfRun(tokens, policy, first);
      expect(count).toBeGreaterThanOrEqual(1);
      expect(count).toBeLessThanOrEqual(Math.min(policy.texts, tokens.length - first));
      if (count > 1) expect(cost(tokens.slice(first, first + count), policy)).toBeLessThanOrEqual(policy.tokens);
    }),
  );
});

test("a run takes as many of the next texts as the policy allows", () => {
  fc.assert(
    fc.property(lengths, policies, (tokens, policy) => {
      const count = textsOfRun(tokens, policy);
      if (count === tokens.length || count === policy.texts) return;
      expect(cost(tokens.slice(0, count + 1), policy)).toBeGreaterThan(policy.tokens);
    }),
  );
});

test("the policy oneTextPerRun gives runs of one text, whatever its length", () => {
  expect([0, 1, 2].map((first) => textsOfRun([9, 3, 512], oneTextPerRun, first))).toEqual([1, 1, 1]);
});

test("texts of any length share a run without padding", () => {
  expect(textsOfRun([1, 60, 3, 1], { texts: 8, tokens: 64 })).toBe(3);
  expect(textsOfRun([1, 60, 3, 1], { texts: 8, tokens: 64, lengthStep: 1 })).toBe(1);
});

test("cutting tokens keeps the last special token", () => {
  expect(cutTokens([101, 1, 2, 3, 102], 4)).toEqual([101, 1, 2, 102]);
  expect(cutTokens([101, 1, 102], 3)).toEqual([101, 1, 102]);
});

test("a run counts its padding to the policy's step, and texts are padded to it", () => {
  const policy = { texts: 8, tokens: 64, lengthStep: 16 };
  expect([1, 16, 17, 512].map((length) => paddedLength(length, policy))).toEqual([16, 16, 32, 512]);
  expect(textsOfRun([17, 17, 17], policy)).toBe(2);
  expect(textsOfRun([17, 17, 17], policy, 2)).toBe(1);
  expect(paddedLength(17, { texts: 8, tokens: 64 })).toBe(17);
});
