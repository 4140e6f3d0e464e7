/** Quality of retrieval: nDCG@10 on Cranfield and on everyday queries over personal notes. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchMode } from "../shared/index/fusion.ts";
import { parseQuery } from "../shared/index/query.ts";
import { SearchIndex } from "../shared/index/search-index.ts";
import { geometryOf, scanCodes, VectorCodec } from "../shared/index/vector-codes.ts";
import { type Document, textsOf } from "../shared/search/library.ts";
import { chunkDocument } from "../shared/search/passages.ts";
import { cranfieldDocuments, cranfieldJudgments, cranfieldQueries } from "./cranfield.ts";
import { indexDocuments, uniformNumbers } from "./search-texts.ts";

export const modes = ["keyword", "semantic", "hybrid"] as const;

/** The sets whose lead is claimed. */
export const evenQueries = "Cranfield, even queries";
export const everydayQueries = "Everyday queries";

export const qualitySchema = z.object({
  set: z.string(),
  queries: z.number(),
  /** Mean nDCG@10. */
  means: z.record(z.enum(modes), z.number()),
  /** Mean difference of hybrid to the better of the other modes, and its 95 % interval by a paired bootstrap. */
  lead: z.object({ mean: z.number(), low: z.number(), high: z.number() }),
});

type Quality = z.infer<typeof qualitySchema>;

/** Documents, the vectors of their passages, and judged queries. */
export interface Collection {
  readonly documents: readonly Document[];
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly EmbeddedQuery[];
}

interface JudgedQuery {
  /** The sets to which the query belongs. */
  readonly sets: readonly string[];
  /** As it is searched. */
  readonly text: string;
  /** By the ids of documents. Missing documents are irrelevant. */
  readonly relevance: ReadonlyMap<string, number>;
}

interface EmbeddedQuery extends JudgedQuery {
  readonly vector: Float32Array;
}

/** @param most the number of documents that are used. Default: all */
export async function cranfieldCollection(encoder: Encoder, most?: number): Promise<Collection> {
  const records = (await cranfieldDocuments()).slice(0, most);
  const documents = records.map(({ number, title, text }) => ({ id: String(number), title, kind: "abstract", text }));
  const judgments = await cranfieldJudgments();
  const queries = (await cranfieldQueries()).map(({ number, text }): JudgedQuery => {
    const grades = Array.from(judgments.get(number) ?? [], ([document, grade]) => [String(document), grade] as const);
    return {
      sets: [number % 2 === 1 ? "Cranfield, odd queries" : evenQueries, "Cranfield"],
      // Removes dashes, which would exclude words. The trailing space completes the last word.
      text: `${text.replaceAll(/(^|\s)-/g, "$1 ")} `,
      relevance: new Map(grades),
    };
  });
  return embedded(encoder, documents, queries);
}

const notesSchema = z.array(z.object({ id: z.string(), title: z.string(), text: z.string() }));
const querySchema = z.object({
  kind: z.string(),
  split: z.enum(["open", "held"]),
  query: z.string(),
  relevant: z.record(z.string(), z.number()),
});

/** The everyday queries: see data/everyday/README.md. */
export async function everydayCollection(encoder: Encoder): Promise<Collection> {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(new URL(`../../bench/data/everyday/${name}.json`, import.meta.url), "utf8"));
  const documents = notesSchema.parse(await read("documents")).map((document) => ({ ...document, kind: "note" }));
  const queries = z.array(querySchema).parse(await read("queries"));
  const judged = queries.map(({ kind, split, query, relevant }): JudgedQuery => {
    // A half-typed query is searched as it is typed.
    const text = kind === "half" ? query : `${query} `;
    return { sets: [`${everydayQueries}, ${split}`, everydayQueries], text, relevance: new Map(Object.entries(relevant)) };
  });
  return embedded(encoder, documents, judged);
}

async function embedded(encoder: Encoder, documents: readonly Document[], judged: readonly JudgedQuery[]): Promise<Collection> {
  const { vectors } = await encoder.embed(textsOf({ documents, examples: [] }).passages);
  const texts = judged.map(({ text }) => parseQuery(text).text);
  const asked = await encoder.embed(texts, { inputType: "query" });
  return { documents, vectors, queries: judged.map((query, i) => ({ ...query, vector: asked.vectors[i] ?? new Float32Array() })) };
}

/** Results of a query: enough passages for ten documents. */
const depth = 50;

/** Runs all queries of a collection in all modes. Deterministic. */
export async function qualityOf({ documents, vectors, queries }: Collection, scan = scanCodes): Promise<Quality[]> {
  const codec = new VectorCodec(geometryOf(vectors[0]?.length ?? 1));
  const index = new SearchIndex({ scan });
  index.expectDimensions(codec.geometry.dimensions);
  const chunked = await Promise.all(documents.map((document) => chunkDocument(document)));
  await index.put(indexDocuments(chunked, vectors, codec));
  const gains = new Map<string, Record<SearchMode, number[]>>();
  for (const { sets, text, relevance, vector } of queries) {
    for (const mode of modes) {
      const hits = index.search(parseQuery(text), mode === "keyword" ? null : vector, { mode, limit: depth });
      const gain = normalizedGain([...new Set(hits.map(({ id }) => id))], relevance);
      for (const set of sets) {
        const ofSet = gains.get(set) ?? { hybrid: [], semantic: [], keyword: [] };
        gains.set(set, ofSet);
        ofSet[mode].push(gain);
      }
    }
  }
  const sorted = [...gains].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([set, { hybrid, semantic, keyword }]) => {
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
  const uniform = uniformNumbers();
  const resampled = () => meanOf(values.map(() => values[Math.floor(uniform() * values.length)] ?? 0));
  const means = Array.from({ length: resamples }, resampled).sort((a, b) => a - b);
  return { low: means[Math.floor(0.025 * resamples)] ?? Number.NaN, high: means[Math.floor(0.975 * resamples)] ?? Number.NaN };
}
