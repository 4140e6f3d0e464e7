import { readFile } from "node:fs/promises";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { SearchResult } from "../../shared/search/answer.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { printable } from "./terminal.ts";

/**
 * Opens an index file. Rejects as the file system does, as `Encoder.load` does, and as `readIndexFile` does; with `other_model` when
 * the index was made with another model, for then it must be made anew. What is wrong with the file is told with its path.
 */
export async function openIndexFile(path: string, encoder: Encoder): Promise<SearchEngine> {
  const file = Uint8Array.from(await readFile(path).catch((error) => Promise.reject(withPath(path, error))));
  const engine = new SearchEngine(encoder);
  await engine.load();
  await engine.importIndex(file).catch((error) => Promise.reject(withPath(path, error)));
  return engine;
}

/** The same error, with the path in its message where that is not there. */
function withPath(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.message.includes(path)) return error;
  const message = `${path}: ${error.message}`;
  return error instanceof EncoderError
    ? new EncoderError(error.code, message, error.details, { cause: error })
    : new Error(message, { cause: error });
}

/** A result as a terminal shows it: how relevant, which document and where, and the passage on one line. */
export function formatResult({ document, passage, relevance, weak }: SearchResult): string {
  const score = relevance === null ? "keyword" : `${Math.round(100 * relevance)} %`;
  const onOneLine = (text: string) => printable(text.replaceAll(/\s+/g, " "));
  const place = [document.id, ...passage.headings].join(" > ");
  return `${score}${weak ? ", weak" : ""}  ${onOneLine(place)}\n  ${onOneLine(passage.text)}`;
}
