import { readFile } from "node:fs/promises";

const file = new URL("../../bench/data/cranfield/cran.all.1400", import.meta.url);

/** The abstracts of the Cranfield collection that are not empty, about 240 tokens each. */
export async function cranfieldAbstracts(): Promise<string[]> {
  // A record begins with `.I number`; its text is what follows the line `.W`.
  const records = (await readFile(file, "latin1")).split(/^\.I \d+$/m).slice(1);
  return records.map((record) => record.split(/^\.W$/m)[1]?.trim() ?? "").filter((text) => text !== "");
}
