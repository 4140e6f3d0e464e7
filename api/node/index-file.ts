import { readFile } from "node:fs/promises";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import type { SearchResult } from "../../shared/search/answer.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";

/**
 * Opens an index file. Rejects as the file system does, as `Encoder.load` does, and as `readIndexFile` does; with `other_model` when
 * the index was made with another model, for then it must be made anew.
 */
export async function openIndexFile(path: string, encoder: Encoder): Promise<SearchEngine> {
  const file = Uint8Array.from(await readFile(path));
  const engine = new SearchEngine(encoder);
  await engine.load();
  await engine.importIndex(file);
  return engine;
}

/** A result as a terminal shows it: how relevant, which document and where, and the passage on one line. */
export function formatResult({ document, passage, relevance, weak }: SearchResult): string {
  const score = relevance === null ? "words" : `${Math.round(100 * relevance)} %`;
  const place = [document.id, ...passage.headings].join(" > ");
  return `${score}${weak ? ", weak" : ""}  ${place}\n  ${passage.text.replaceAll(/\s+/g, " ")}`;
}
