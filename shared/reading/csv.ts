import Papa from "papaparse";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { labelOf, Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/**
 * Converts each row to a paragraph with a line `column: value` per field that is not blank. The first row is the header, unless it is the
 * only row. The delimiter is detected. The title lists the columns.
 *
 * Throws `unreadable_file` for an unterminated or malformed quoted field, and `binary_file`.
 */
export function readCsv(bytes: Uint8Array): Reading {
  const source = decodeText(bytes);
  const { data: rows, errors } = Papa.parse(source, { skipEmptyLines: "greedy" });
  const quoteError = errors.find(({ type }) => type === "Quotes");
  if (quoteError) {
    const line = source.slice(0, quoteError.index ?? 0).split(/\r\n|\r|\n/).length;
    throw new EncoderError("unreadable_file", `has a malformed quoted field in line ${line}`);
  }
  const [header = [], ...records] = rows.map((row) => row.map((field) => field.trim()));
  const columns = header.filter(Boolean).join(", ");
  if (records.length === 0) return { title: "", text: columns };
  const labels = header.map(labelOf);
  const paragraphs = new Paragraphs();
  for (const record of records) {
    for (const [i, field] of record.entries()) if (field !== "") paragraphs.line((labels[i] ?? "") + field);
    paragraphs.end();
  }
  return { title: columns, text: paragraphs.toString() };
}
