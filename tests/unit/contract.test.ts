import { describe, expect, test } from "vitest";
import { embeddingsRequestSchema, embedRequestSchema, similarityRequestSchema, tokenizeRequestSchema } from "../../shared/contract.ts";

const faultsOf = (error: { issues: readonly object[] } | undefined): number =>
  (error?.issues ?? []).reduce((count, issue) => {
    const branches = "errors" in issue ? (issue.errors as object[][]) : [];
    return count + 1 + faultsOf({ issues: branches.flat() });
  }, 0);

describe("of a list of something else only the first element is a fault: millions of them would take gigabytes", () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const afterTexts = ["a text", "another", ...numbers];
  test.each([
    ["/embed", embedRequestSchema, (list: unknown[]) => ({ inputs: list })],
    ["/tokenize", tokenizeRequestSchema, (list: unknown[]) => ({ inputs: list })],
    ["/similarity", similarityRequestSchema, (list: unknown[]) => ({ inputs: { source_sentence: "a text", sentences: list } })],
    ["/v1/embeddings", embeddingsRequestSchema, (list: unknown[]) => ({ input: list })],
  ])("in %s", (_, schema, bodyOf) => {
    for (const list of [numbers, afterTexts]) {
      const { error } = schema.safeParse(bodyOf(list));
      expect(faultsOf(error)).toBeGreaterThan(0);
      expect(faultsOf(error)).toBeLessThanOrEqual(3);
    }
    expect(schema.safeParse(bodyOf(["a text", "another"])).success).toBe(true);
  });
});
