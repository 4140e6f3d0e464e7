import Papa from "papaparse";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { labelOf, Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/**
 * Each row as a paragraph with a line `column: value` for each field that is not blank, the first row being the header; a
 * single row is no header. The delimiter is found out. The columns' names are the title.
 *
 * Throws `unreadable_file` where a quoted field does not end as it should.
 */
export function readCsv(bytes: Uint8Array): Reading {
  const source = decodeText(bytes);
  const { data: rows, errors } = Papa.parse(source, { skipEmptyLines: "greedy" });
  const fault = errors.find(({ type }) => type === "Quotes");
  if (fault) {
    const line = source.slice(0, fault.index ?? 0).split(/\r\n|\r|\n/).length;
    throw new EncoderError("unreadable_file", `has a quoted field that does not end as it should, in line ${line}`);
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
