import { type ParseError, parse as parseTolerantly } from "jsonc-parser";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { labelOf, Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/** What is nested deeper is hardly a text. */
const deepest = 200;

/** Of a path, which stands before every value that it leads to, so much is kept, in UTF-16 code units. */
const longestPath = 200;

/**
 * Each element of an array, else the whole value, as a paragraph: an object as lines `key: value`, what is nested by its path
 * (`author.name: …`), the elements of an array under its key; strings as they stand. Null and blank strings are left out.
 *
 * Throws `unreadable_file` when it is not JSON, or nested more than 200 deep.
 */
export function readJson(bytes: Uint8Array): Reading {
  const source = decodeText(bytes);
  if (source.trim() === "") return { title: "", text: "" };
  const value = parseJson(source, () => lineOfFault(source));
  return readingOf(Array.isArray(value) ? value : [value]);
}

/** As {@link readJson} with an array of what stands in each line. Blank lines are passed over. */
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
    // The engine's message has a piece of the text in it.
    const number = line();
    throw new EncoderError("unreadable_file", `is not valid JSON${number === null ? "" : ` in line ${number}`}`);
  }
}

/** From 1; null where it cannot be told. Engines do not tell it alike, and not always. */
function lineOfFault(source: string): number | null {
  const faults: ParseError[] = [];
  try {
    parseTolerantly(source, faults, { disallowComments: true });
  } catch {
    // It calls itself for what is nested, and the stack has an end.
    return null;
  }
  return faults[0] ? source.slice(0, faults[0].offset).split(/\r\n|\r|\n/).length : null;
}

function readingOf(records: readonly unknown[]): Reading {
  const paragraphs = new Paragraphs();
  for (const record of records) {
    addLines(paragraphs, record, "", deepest);
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
  if (depth === 0) throw new EncoderError("unreadable_file", `is nested more than ${deepest} deep`, { limit: deepest });
  for (const [key, field] of Object.entries(value)) {
    const place = path === "" || key === "" ? path + key : `${path}.${key}`;
    addLines(paragraphs, field, Array.isArray(value) ? path : place.slice(0, longestPath), depth - 1);
  }
}

/** What a single record calls itself, or what several are about: the keys of the first. Blank when it is neither. */
function titleOf([first, ...others]: readonly unknown[]): string {
  if (typeof first !== "object" || first === null || Array.isArray(first)) return "";
  if (others.length > 0) return Object.keys(first).join(", ");
  const fields = new Map<string, unknown>(Object.entries(first));
  const named = fields.get("title") ?? fields.get("name");
  return typeof named === "string" ? named : "";
}
