import { readFile } from "node:fs/promises";

/** A document or query of the Cranfield collection. Numbers start at 1. */
export interface CranfieldRecord {
  readonly number: number;
  /** Empty for a query. */
  readonly title: string;
  readonly text: string;
}

/** The 1,398 documents with a text, about 240 tokens each. */
export async function cranfieldDocuments(): Promise<CranfieldRecord[]> {
  return (await recordsOf("cran.all.1400")).filter(({ text }) => text !== "");
}

/** The 225 queries, about 20 tokens each. */
export async function cranfieldQueries(): Promise<CranfieldRecord[]> {
  return recordsOf("cran.qry");
}

export const textsOf = (records: readonly CranfieldRecord[]) => records.map(({ text }) => text);

/** Relevance of documents by query, from 1 (least) to 4. Missing documents are irrelevant. */
export async function cranfieldJudgments(): Promise<Map<number, Map<number, number>>> {
  const judgments = new Map<number, Map<number, number>>();
  for (const line of (await contentOf("cranqrel")).trim().split("\n")) {
    const [query = 0, document = 0, code = 0] = line.trim().split(/\s+/).map(Number);
    const ofQuery = judgments.get(query) ?? new Map<number, number>();
    // In the file, 1 is the most relevant and 4 the least; -1 means 4.
    judgments.set(query, ofQuery.set(document, code === -1 ? 1 : 5 - code));
  }
  return judgments;
}

/** Parses records. A record starts with `.I number`, and its fields with a dot and a letter: `.T` is the title, `.W` the text. */
async function recordsOf(file: string): Promise<CranfieldRecord[]> {
  const records = (await contentOf(file)).split(/^\.I \d+$/m).slice(1);
  return records.map((record, i) => {
    const field = (letter: string) => {
      const [, after = ""] = record.split(new RegExp(`^\\.${letter}$`, "m"));
      return (after.split(/^\.[A-Z]$/m)[0] ?? "").trim();
    };
    return { number: i + 1, title: field("T").replaceAll(/\s+/g, " "), text: field("W") };
  });
}

function contentOf(file: string): Promise<string> {
  return readFile(new URL(`../../bench/data/cranfield/${file}`, import.meta.url), "latin1");
}
