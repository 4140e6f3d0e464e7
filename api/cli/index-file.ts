import { readFile } from "node:fs/promises";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { Hit } from "../../shared/index/hit.ts";
import type { ScanCodes } from "../../shared/index/vector-codes.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { printable } from "../node/terminal.ts";

/**
 * Opens an index file. Rejects with file system errors and with the errors of `Encoder.load` and `readIndexFile`, all with the path in the
 * message, and with `other_model` when the index was created with another model.
 */
export async function openIndexFile(path: string, encoder: Encoder, scan?: ScanCodes): Promise<SearchEngine> {
  const file = Uint8Array.from(await readFile(path).catch((error) => Promise.reject(withPath(path, error))));
  const engine = new SearchEngine(encoder, null, null, scan);
  await engine.load();
  await engine.importIndex(file).catch((error) => Promise.reject(withPath(path, error)));
  return engine;
}

/** Adds the path to an error's message. */
function withPath(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.message.includes(path)) return error;
  const message = `${path}: ${error.message}`;
  return error instanceof EncoderError
    ? new EncoderError(error.code, message, error.details, { cause: error })
    : new Error(message, { cause: error });
}

/** Formats a hit for a terminal: relevance, document and headings on one line, the passage on the next. */
export function formatHit({ id, passage, relevance, cosine, strength }: Hit): string {
  const score = relevance !== null ? `${Math.round(100 * relevance)} %` : cosine !== null ? `cosine ${cosine.toFixed(2)}` : "keyword";
  const onOneLine = (text: string) => printable(text.replaceAll(/\s+/g, " "));
  const place = [id, ...passage.headings].join(" > ");
  return `${score}${strength === "weak" ? ", weak" : ""}  ${onOneLine(place)}\n  ${onOneLine(passage.text)}`;
}
