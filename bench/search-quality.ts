/** Quality of retrieval: nDCG@10 on Cranfield and on everyday queries over personal notes. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/index/fusion.ts";
import type { Document } from "../shared/search/library.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { cranfieldDocuments, cranfieldJudgments, cranfieldQueries } from "./cranfield.ts";

export const modes = ["hybrid", "semantic", "keyword"] as const;

export const qualitySchema = z.object({
  /** Queries, of which one half was used to choose parameters. */
  set: z.string(),
  queries: z.number(),
  /** Mean nDCG@10. */
  means: z.record(z.enum(modes), z.number()),
  /** Mean difference of hybrid to the better of the other modes, and its 95 % interval by a paired bootstrap. */
  lead: z.object({ mean: z.number(), low: z.number(), high: z.number() }),
});

type Quality = z.infer<typeof qualitySchema>;

/** A query with the relevance of documents by id. */
interface JudgedQuery {
  readonly set: string;
  readonly text: string;
  readonly relevance: ReadonlyMap<string, number>;
}

/** Cranfield, as documents. */
export async function cranfieldCollection(): Promise<Document[]> {
  return (await cranfieldDocuments()).map(({ number, title, text }) => ({ id: String(number), title, kind: "abstract", text }));
}

/** Runs all queries in all modes over an engine that holds {@link cranfieldCollection}. Deterministic. */
export async function cranfieldQuality(engine: SearchEngine): Promise<Quality[]> {
  const judgments = await cranfieldJudgments();
  const queries = (await cranfieldQueries()).map(({ number, text }): JudgedQuery => {
    const relevance = [...(judgments.get(number) ?? [])].map(([document, grade]) => [String(document), grade] as const);
    // Removes dashes, which would exclude words. The trailing space completes the last word.
    return {
      set: `Cranfield, ${number % 2 === 1 ? "odd" : "even"} queries`,
      text: `${text.replaceAll(/(^|\s)-/g, "$1 ")} `,
      relevance: new Map(relevance),
    };
  });
  return qualityOf(engine, queries);
}

const everydaySchema = z.object({
  documents: z.array(z.object({ id: z.string(), title: z.string(), text: z.string() })),
  queries: z.array(
    z.object({ kind: z.string(), split: z.enum(["open", "held"]), query: z.string(), relevant: z.record(z.string(), z.number()) }),
  ),
});

/** Runs the everyday queries in all modes. */
export async function everydayQuality(encoder: Encoder): Promise<Quality[]> {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(new URL(`../../bench/data/everyday/${name}.json`, import.meta.url), "utf8"));
  const { documents, queries } = everydaySchema.parse({ documents: await read("documents"), queries: await read("queries") });
  const engine = new SearchEngine(encoder);
  await engine.add(documents.map((document) => ({ ...document, kind: "note" })));
  const judged = queries.map(({ kind, split, query, relevant }): JudgedQuery => {
    // A half-typed query is searched as it is typed.
    const text = kind === "half" ? query : `${query} `;
    return { set: `Everyday queries, ${split}`, text, relevance: new Map(Object.entries(relevant)) };
  });
  return qualityOf(engine, judged);
}

async function qualityOf(engine: SearchEngine, queries: readonly JudgedQuery[]): Promise<Quality[]> {
  const gains = new Map<string, Record<SearchMode, number[]>>();
  for (const { set, text, relevance } of queries) {
    const ofSet = gains.get(set) ?? { hybrid: [], semantic: [], keyword: [] };
    gains.set(set, ofSet);
    for (const mode of modes) {
      const { results } = await engine.search(text, { mode, limit: 50 });
      ofSet[mode].push(normalizedGain([...new Set(results.map(({ document }) => document.id))], relevance));
    }
  }
  return [...gains].map(([set, { hybrid, semantic, keyword }]) => {
    const other = meanOf(semantic) > meanOf(keyword) ? semantic : keyword;
    const differences = hybrid.map((gain, i) => gain - (other[i] ?? 0));
    const means = { hybrid: meanOf(hybrid), semantic: meanOf(semantic), keyword: meanOf(keyword) };
    return { set, queries: hybrid.length, means, lead: { mean: meanOf(differences), ...bootstrap(differences) } };
  });
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** nDCG@10 with a gain of 2^relevance - 1. @param ranked document ids, best first */
function normalizedGain(ranked: readonly string[], relevance: ReadonlyMap<string, number>): number {
  const discounted = (relevances: readonly number[]) =>
    relevances.slice(0, 10).reduce((sum, value, rank) => sum + (2 ** value - 1) / Math.log2(rank + 2), 0);
  const best = discounted(Array.from(relevance.values()).sort((a, b) => b - a));
  return best === 0 ? 0 : discounted(ranked.map((document) => relevance.get(document) ?? 0)) / best;
}

const resamples = 10_000;

/** The 95 % interval of the mean. Deterministic. */
function bootstrap(values: readonly number[]): { low: number; high: number } {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return values[Math.floor((state / 2 ** 32) * values.length)] ?? 0;
  };
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += next();
    return sum / values.length;
  }).sort((a, b) => a - b);
  return { low: means[Math.floor(0.025 * resamples)] ?? Number.NaN, high: means[Math.floor(0.975 * resamples)] ?? Number.NaN };
}
