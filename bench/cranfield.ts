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

/** Documents and queries, and how relevant the ones are to the others. */
export interface Collection {
  /** Title and abstract. */
  readonly documents: readonly string[];
  readonly queries: readonly string[];
  /** By query, then by document, both by their index: 4 for the most relevant, 1 for the least. */
  readonly judgments: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

/** The collection as one that retrieval is judged by. @param documents how many of them: the first ones */
export async function cranfieldCollection(documents = Number.POSITIVE_INFINITY): Promise<Collection> {
  const judgments = new Map<number, Map<number, number>>();
  for (const line of (await contentOf("cranqrel")).trim().split("\n")) {
    const [query = 0, document = 0, code = 0] = line.trim().split(/\s+/).map(Number);
    if (document > documents) continue;
    const ofQuery = judgments.get(query - 1) ?? new Map<number, number>();
    // In the file 1 is the most relevant and 4 the least, and -1 stands for 4.
    judgments.set(query - 1, ofQuery.set(document - 1, code === -1 ? 1 : 5 - code));
  }
  const all = (await recordsOf("cran.all.1400")).map(({ title, text }) => `${title} ${text}`.trim());
  const queries = (await recordsOf("cran.qry")).map(({ text }) => text);
  return { documents: all.slice(0, documents), queries, judgments };
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
    return { title: field("T"), text: field("W") };
  });
}

function contentOf(file: string): Promise<string> {
  return readFile(new URL(`../../bench/data/cranfield/${file}`, import.meta.url), "latin1");
}
