import { describe, expect, test } from "vitest";
import {
  embeddingsRequestSchema,
  embedRequestSchema,
  searchRequestSchema,
  similarityRequestSchema,
  tokenizeRequestSchema,
} from "../../shared/contract.ts";

const faultsOf = (error: { issues: readonly object[] } | undefined): number =>
  (error?.issues ?? []).reduce((count, issue) => {
    const branches = "errors" in issue ? (issue.errors as object[][]) : [];
    return count + 1 + faultsOf({ issues: branches.flat() });
  }, 0);

describe("validation of long lists", () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const afterTexts = ["a text", "another", ...numbers];
  test.each([
    ["/embed", embedRequestSchema, (list: unknown[]) => ({ inputs: list })],
    ["/tokenize", tokenizeRequestSchema, (list: unknown[]) => ({ inputs: list })],
    ["/similarity", similarityRequestSchema, (list: unknown[]) => ({ inputs: { source_sentence: "a text", sentences: list } })],
    ["/v1/embeddings", embeddingsRequestSchema, (list: unknown[]) => ({ input: list })],
  ])("a long list of invalid elements reports only its first fault: %s", (_, schema, bodyOf) => {
    for (const list of [numbers, afterTexts]) {
      const { error } = schema.safeParse(bodyOf(list));
      expect(faultsOf(error)).toBeGreaterThan(0);
      expect(faultsOf(error)).toBeLessThanOrEqual(3);
    }
    expect(schema.safeParse(bodyOf(["a text", "another"])).success).toBe(true);
  });
});

describe("search requests", () => {
  const messagesOf = (body: object) =>
    searchRequestSchema.safeParse(body).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

  test("a search request accepts up to 2,000 characters and up to 16 quoted phrases and exclusions", () => {
    expect(messagesOf({ query: "x".repeat(2_000) })).toBeUndefined();
    expect(messagesOf({ query: "x".repeat(2_001) })).toEqual(["query: must have at most 2000 characters"]);
    expect(messagesOf({ query: '"a phrase" -word '.repeat(8) })).toBeUndefined();
    expect(messagesOf({ query: `${'"a phrase" -word '.repeat(8)} -more` })).toEqual([
      "query: must have at most 16 quoted phrases and exclusions",
    ]);
  });

  test("a search request accepts up to 1,000 filter values and reports one fault per list", () => {
    const of = (length: number, value: unknown = "id") => ({ query: "tides", filter: { documents: Array(length).fill(value) } });
    expect(messagesOf(of(1_000))).toBeUndefined();
    expect(messagesOf(of(1_001))).toEqual(["filter.documents: must hold at most 1000 values"]);
    expect(messagesOf(of(100_000))).toEqual(["filter.documents: must hold at most 1000 values"]);
    expect(messagesOf(of(100_000, 1))).toEqual(["filter.documents.0: must be a text"]);
    expect(messagesOf({ query: "tides", filter: { kinds: Array(1_001).fill("note") } })).toEqual([
      "filter.kinds: must hold at most 1000 values",
    ]);
  });
});
