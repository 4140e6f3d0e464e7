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

/** A record begins with `.I number`, and its text with a line `.W`, after the title and other fields if there are any. */
async function textsOf(file: string): Promise<string[]> {
  const content = await readFile(new URL(`../../bench/data/cranfield/${file}`, import.meta.url), "latin1");
  const records = content.split(/^\.I \d+$/m).slice(1);
  return records.map((record) => (record.split(/^\.W$/m)[1] ?? "").trim()).filter((text) => text !== "");
}
