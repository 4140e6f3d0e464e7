import { type ParseError, parse as parseTolerantly } from "jsonc-parser";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { labelOf, Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/** Maximum depth of nesting. */
const maxDepth = 200;

/** Maximum length of the path before a value, in UTF-16 code units. */
const maxPath = 200;

/**
 * Converts each element of a top-level array, or else the whole value, to a paragraph. An object becomes lines `key: value`, with paths for
 * nested values (`author.name: …`). Elements of a nested array share its key. Strings are unchanged. Null and blank strings are omitted.
 *
 * Throws `unreadable_file` if the bytes are not JSON, or nested more than 200 levels deep, and `binary_file`.
 */
export function readJson(bytes: Uint8Array): Reading {
  const source = decodeText(bytes);
  if (source.trim() === "") return { title: "", text: "" };
  const value = parseJson(source, () => lineOfError(source));
  return readingOf(Array.isArray(value) ? value : [value]);
}

/** Reads JSON Lines as {@link readJson} reads an array of the lines' values. Skips blank lines. */
export function readJsonLines(bytes: Uint8Array): Reading {
  const records: unknown[] = [];
  let number = 0;
  for (const line of decodeText(bytes).split("\n")) {
    number += 1;
    if (line.trim() !== "") records.push(parseJson(line, () => number));
  }
  return readingOf(records);
}

function parseJson(source: string, line: () => number | null): unknown {
  try {
    return JSON.parse(source);
  } catch {
    // The engine's message quotes the text.
    const number = line();
    throw new EncoderError("unreadable_file", `is not valid JSON${number === null ? "" : ` in line ${number}`}`);
  }
}

/** Line of the first syntax error, from 1; null if unknown. `JSON.parse` does not report it reliably. */
function lineOfError(source: string): number | null {
  const errors: ParseError[] = [];
  try {
    parseTolerantly(source, errors, { disallowComments: true });
  } catch {
    // The parser is recursive: deep nesting overflows the stack.
    return null;
  }
  return errors[0] ? source.slice(0, errors[0].offset).split(/\r\n|\r|\n/).length : null;
}

function readingOf(records: readonly unknown[]): Reading {
  const paragraphs = new Paragraphs();
  for (const record of records) {
    addLines(paragraphs, record, "", maxDepth);
    paragraphs.end();
  }
  return { title: titleOf(records), text: paragraphs.toString() };
}

function addLines(paragraphs: Paragraphs, value: unknown, path: string, depth: number): void {
  if (value === null) return;
  if (typeof value !== "object") {
    const text = String(value).trim();
    if (text !== "") paragraphs.line(labelOf(path) + text);
    return;
  }
  if (depth === 0) throw new EncoderError("unreadable_file", `is nested more than ${maxDepth} levels deep`, { limit: maxDepth });
  for (const [key, field] of Object.entries(value)) {
    const place = path === "" || key === "" ? path + key : `${path}.${key}`;
    addLines(paragraphs, field, Array.isArray(value) ? path : place.slice(0, maxPath), depth - 1);
  }
}

/** The title or name of a single record, or the keys of the first of several. Blank if there are none. */
function titleOf([first, ...others]: readonly unknown[]): string {
  if (typeof first !== "object" || first === null || Array.isArray(first)) return "";
  if (others.length > 0) return Object.keys(first).join(", ");
  const fields = new Map<string, unknown>(Object.entries(first));
  const named = fields.get("title") ?? fields.get("name");
  return typeof named === "string" ? named : "";
}
