import { z } from "zod";

export type InputFormat = "text" | "jsonl";

/** A line of the input that holds a text, or that should and does not. */
export type InputLine = {
  /** From 1, as editors count; blank lines count but are not given. */
  readonly number: number;
  /** Bytes of the input up to the line's end. */
  readonly end: number;
} & ({ readonly text: string; readonly id?: string | number } | { readonly fault: string });

/** A longer line is no text but a file of another kind; it is passed over without being held. */
const maxLineBytes = 16 * 1024 * 1024;

const newline = 0x0a;

const jsonLineSchema = z.object({ text: z.string(), id: z.union([z.string(), z.number()]).optional() });

/**
 * The lines of a stream of bytes, one at a time. Only `\n` ends a line (after a `\r` or not), unlike in node:readline:
 * JSON may hold U+2028 and U+2029 as they are. A fault says what is wrong with a line and quotes nothing of it.
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
    // A byte order mark stands at the beginning of a file only; elsewhere it is a character of the text.
    line = new TextDecoder("utf-8", { fatal: true, ignoreBOM: !first }).decode(bytes);
  } catch {
    return { fault: "not valid UTF-8" };
  }
  if (line.endsWith("\r")) line = line.slice(0, -1);
  if (line.trim() === "") return null;
  const content = read(line);
  if ("text" in content && !content.text.isWellFormed()) return { fault: "the text has a lone surrogate, which is not valid Unicode" };
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
  if (!parsed.success) return { fault: 'not an object with a "text" that is a string (and an "id", if any, that is a string or a number)' };
  const { text, id } = parsed.data;
  return { text, ...(id !== undefined && { id }) };
}

/** Null bytes for a line that is too long. */
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
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, at));
      end += 1;
      start = at + 1;
      yield take();
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
