import { z } from "zod";

export type InputFormat = "text" | "jsonl";

/** A line of the input: a text, or the fault of an invalid line. */
export type InputLine = {
  /** Line number from 1. Blank lines are counted but not returned. */
  readonly number: number;
  /** Offset of the line's end in bytes. */
  readonly end: number;
} & ({ readonly text: string; readonly id?: string | number } | { readonly fault: string });

/** A longer line is invalid, probably of a binary file, and is skipped without buffering. */
const maxLineBytes = 16 * 1024 * 1024;

const newline = 0x0a;

const jsonLineSchema = z.object({ text: z.string(), id: z.union([z.string(), z.number()]).optional() });

/**
 * Reads the lines of a byte stream. Lines end with `\n` or `\r\n` only, unlike in node:readline, because JSON may contain U+2028 and
 * U+2029. A fault describes the problem without quoting the line.
 */
export async function* readLines(input: AsyncIterable<Uint8Array>, format: InputFormat): AsyncGenerator<InputLine> {
  const read = format === "jsonl" ? readJsonLine : readTextLine;
  let number = 0;
  for await (const { bytes, end } of splitLines(input)) {
    number += 1;
    const line = bytes === null ? { fault: `longer than ${maxLineBytes} bytes` } : decodeLine(bytes, number === 1, read);
    if (line) yield { number, end, ...line };
  }
}

type Content = { text: string; id?: string | number } | { fault: string };

/** Null for a blank line. */
function decodeLine(bytes: Uint8Array, first: boolean, read: (line: string) => Content): Content | null {
  let line: string;
  try {
    // A byte order mark counts as such only at the beginning of the file.
    line = new TextDecoder("utf-8", { fatal: true, ignoreBOM: !first }).decode(bytes);
  } catch {
    return { fault: "not valid UTF-8" };
  }
  if (line.endsWith("\r")) line = line.slice(0, -1);
  if (line.trim() === "") return null;
  const content = read(line);
  if ("text" in content && !content.text.isWellFormed()) return { fault: "not valid Unicode: the text contains a lone surrogate" };
  return content;
}

const readTextLine = (text: string): Content => ({ text });

function readJsonLine(line: string): Content {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { fault: "not valid JSON" };
  }
  const parsed = jsonLineSchema.safeParse(json);
  if (!parsed.success) return { fault: 'must be an object with a string "text" and optionally an "id" (string or number)' };
  const { text, id } = parsed.data;
  return { text, ...(id !== undefined && { id }) };
}

/** Splits a byte stream into lines. `bytes` is null for a line that is too long. */
async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Uint8Array | null; end: number }> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let end = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    end += part.length;
    if (length <= maxLineBytes) parts.push(part);
    else parts = [];
  };
  const take = () => {
    const bytes = length <= maxLineBytes ? Buffer.concat(parts) : null;
    parts = [];
    length = 0;
    return { bytes, end };
  };
  for await (const chunk of input) {
    let start = 0;
    for (let position = chunk.indexOf(newline); position !== -1; position = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, position));
      end += 1;
      start = position + 1;
      yield take();
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
