import { readFile } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { createEncoder } from "../../dist/api/node/encoder.js";
import { weakRelevance } from "../../shared/index/relevance.ts";
import { readLibrary } from "../../shared/search/library.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { readManifest } from "./model-copy.ts";

interface Judgements {
  readonly answered: readonly { query: string; answer: string }[];
  readonly unanswered: readonly string[];
}

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url));
const readJson = async (path: string) => JSON.parse((await read(path)).toString());

const packed = new Uint8Array(await read("dist/library/vectors.bin"));
const library = readLibrary(await readJson("dist/library/library.json"), packed.buffer);
const judgements: Judgements = await readJson("tests/fixtures/relevance.json");
const encoder = createEncoder();
const engine = new SearchEngine(encoder, library);
afterAll(() => encoder.dispose());

/** The share of `items` for which `check` holds. */
async function share<Item>(items: readonly Item[], check: (item: Item) => Promise<boolean>): Promise<number> {
  const checks = await Promise.all(items.map(check));
  return checks.filter(Boolean).length / items.length;
}

describe("the built-in documents", () => {
  test("the built-in documents have vectors of the bundled model", async () => {
    expect(library.fingerprint).toBe((await readManifest()).fingerprint);
  });

  test.each(library.examples)("the built-in example “$query” finds its answer without the model", async ({ query, answer }) => {
    const { hits, embedTime } = await engine.search(query);
    expect(embedTime).toBeNull();
    expect(hits[0]?.id).toBe(answer);
    expect(hits[0]?.relevance).toBeGreaterThan(weakRelevance);
  });
});

describe("relevance of search results", () => {
  test("relevance is high for most queries that have an answer", async () => {
    const strong = await share(judgements.answered, async ({ query, answer }) => {
      const { hits } = await engine.search(query, { mode: "semantic" });
      return hits.some(({ id, relevance }) => id === answer && (relevance ?? 0) >= weakRelevance);
    });
    expect(strong).toBeGreaterThanOrEqual(0.7);
  });

  test("relevance is low for most queries that have no answer", async () => {
    const weak = await share(judgements.unanswered, async (query) => {
      const { hits } = await engine.search(query, { mode: "semantic" });
      return hits.every(({ relevance }) => (relevance ?? 0) < weakRelevance);
    });
    expect(weak).toBeGreaterThanOrEqual(0.8);
  });
});
