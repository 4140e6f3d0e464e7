import { readFile } from "node:fs/promises";

/** Texts that are embedded together, under one name. */
export interface TextSet {
  readonly name: string;
  readonly texts: readonly string[];
}

/** The abstracts of the Cranfield collection that are not empty (1,398 of 1,400), about 240 tokens each. */
export async function cranfieldAbstracts(): Promise<string[]> {
  return textsOf("cran.all.1400");
}

/** Its 225 queries, about 20 tokens each. */
export async function cranfieldQueries(): Promise<string[]> {
  return textsOf("cran.qry");
}

/** Documents and queries, each by its number, from 1, and how relevant the ones are to the others. */
export interface Collection {
  readonly documents: readonly { readonly number: number; readonly title: string; readonly text: string }[];
  readonly queries: readonly { readonly number: number; readonly text: string }[];
  /** By query, the relevance of documents: 1, the least, to 4. What is not in it has none. */
  readonly judgments: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

/** The collection as one that retrieval is judged by. @param count how many of its documents: the first ones */
export async function cranfieldCollection(count = Number.POSITIVE_INFINITY): Promise<Collection> {
  const judgments = new Map<number, Map<number, number>>();
  for (const line of (await contentOf("cranqrel")).trim().split("\n")) {
    const [query = 0, document = 0, code = 0] = line.trim().split(/\s+/).map(Number);
    if (document > count) continue;
    const ofQuery = judgments.get(query) ?? new Map<number, number>();
    // In the file 1 is the most relevant and 4 the least, and -1 stands for 4.
    judgments.set(query, ofQuery.set(document, code === -1 ? 1 : 5 - code));
  }
  const documents = (await recordsOf("cran.all.1400")).map(({ title, text }, i) => ({ number: i + 1, title, text }));
  const queries = (await recordsOf("cran.qry")).map(({ text }, i) => ({ number: i + 1, text }));
  return { documents: documents.slice(0, count), queries, judgments };
}

/** How many of the documents found are looked at. */
const depth = 10;

/**
 * nDCG@10, with a gain of 2^relevance - 1.
 * @param ranked numbers of documents, the best first
 */
export function normalizedGain(ranked: readonly number[], relevance: ReadonlyMap<number, number>): number {
  const discounted = (relevances: readonly number[]) =>
    relevances.slice(0, depth).reduce((sum, value, rank) => sum + (2 ** value - 1) / Math.log2(rank + 2), 0);
  const best = discounted(Array.from(relevance.values()).sort((a, b) => b - a));
  return best === 0 ? 0 : discounted(ranked.map((document) => relevance.get(document) ?? 0)) / best;
}

async function textsOf(file: string): Promise<string[]> {
  return (await recordsOf(file)).map(({ text }) => text).filter((text) => text !== "");
}

/** A record begins with `.I number`; in it, fields begin with a line of a dot and a letter, as `.T` for the title and `.W` for the text. */
async function recordsOf(file: string): Promise<{ title: string; text: string }[]> {
  const records = (await contentOf(file)).split(/^\.I \d+$/m).slice(1);
  return records.map((record) => {
    const field = (letter: string) =>
      record
        .split(new RegExp(`^\\.${letter}$`, "m"))[1]
        ?.split(/^\.[A-Z]$/m)[0]
        ?.trim() ?? "";
    return { title: field("T").replaceAll(/\s+/g, " "), text: field("W") };
  });
}

function contentOf(file: string): Promise<string> {
  return readFile(new URL(`../../bench/data/cranfield/${file}`, import.meta.url), "latin1");
}
