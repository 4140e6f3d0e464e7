/**
 * Converts files to texts. The same bytes yield the same text in the page and in Node.js, and so the same passages and vectors. The reader
 * of each file type is loaded with the first file of that type.
 */
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { checkTextLength } from "./paragraphs.ts";
import type { Reader } from "./reading.ts";
import { shortTitle, titleOf, titleOfMarkdown } from "./title.ts";

/** The text of a file, with headings in Markdown (`# …`) and blank lines between paragraphs: see `chunkText`. */
export interface ReadText {
  /** Title from the file's metadata, its first heading or its first line. It is embedded with every passage. */
  readonly title: string;
  /** File type, independent of the extension: "md" also for notes.markdown. */
  readonly kind: FileKind;
  /** Well-formed and not blank. */
  readonly text: string;
}

interface FileFormat {
  readonly extensions: readonly string[];
  /** Maximum file size in bytes. */
  readonly maxBytes: number;
  /** Loads the reader. */
  readonly reader: () => Promise<Reader>;
}

/** Maximum size of text files in bytes: larger ones take seconds to read and hours to embed. */
const maxTextBytes = 20_000_000;

const formats = {
  txt: { extensions: ["txt"], maxBytes: maxTextBytes, reader: async () => (bytes) => ({ title: "", text: decodeText(bytes) }) },
  md: { extensions: ["md", "markdown"], maxBytes: maxTextBytes, reader: async () => readMarkdown },
  html: { extensions: ["html", "htm"], maxBytes: maxTextBytes, reader: async () => (await import("./html.ts")).readHtml },
  // Mostly images and fonts.
  pdf: { extensions: ["pdf"], maxBytes: 50_000_000, reader: async () => (await import("./pdf.ts")).readPdf },
  csv: { extensions: ["csv", "tsv"], maxBytes: maxTextBytes, reader: async () => (await import("./csv.ts")).readCsv },
  json: { extensions: ["json"], maxBytes: maxTextBytes, reader: async () => (await import("./json.ts")).readJson },
  jsonl: { extensions: ["jsonl", "ndjson"], maxBytes: maxTextBytes, reader: async () => (await import("./json.ts")).readJsonLines },
} satisfies Record<string, FileFormat>;

/** A supported file type: `txt`, `md`, `html`, `pdf`, `csv`, `json` or `jsonl`. */
export type FileKind = keyof typeof formats;

/** Extensions of supported files, in lower case with a dot: `.md`. */
export const readableExtensions: readonly string[] = Object.values(formats).flatMap(({ extensions }) =>
  extensions.map((name) => `.${name}`),
);

/**
 * The type of a file, by the extension of its name. Check it before loading the bytes.
 * Throws `unsupported_file` or `file_too_large`, with messages as those of {@link readFile}.
 * @param size in bytes
 * @example
 * readableKind("notes/garden.markdown", 2_000); // "md"
 */
export function readableKind(path: string, size: number): FileKind {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  for (const [kind, { extensions, maxBytes }] of Object.entries(formats) as [FileKind, FileFormat][]) {
    if (!extensions.includes(extension)) continue;
    if (size > maxBytes) throw new EncoderError("file_too_large", `is larger than ${maxBytes / 1e6} MB`, { limit: maxBytes, found: size });
    return kind;
  }
  throw new EncoderError("unsupported_file", "has an unsupported file type");
}

/**
 * Reads a file. Its extension determines the reader.
 *
 * Rejects with the signal's reason or an `EncoderError`. The error's message continues a sentence that starts with the file's name ("is
 * encrypted") and never quotes the content. Codes: `unsupported_file`, `file_too_large` (bytes, pages or text), `encrypted_file`,
 * `binary_file` (not text, despite its name), `unreadable_file` (damaged or malformed), `empty_input` (contains no text), and `load_failed`
 * (the reader did not load; a browser may need a new worker to retry).
 * @param path only its extension is used
 * @example
 * const { title, text } = await readFile("notes.md", new TextEncoder().encode("# Tides\n\nThe moon moves the sea."));
 */
export async function readFile(path: string, bytes: Uint8Array<ArrayBuffer>, { signal }: { signal?: AbortSignal } = {}): Promise<ReadText> {
  signal?.throwIfAborted();
  const kind = readableKind(path, bytes.length);
  const read = await formats[kind].reader().catch((cause: unknown) => {
    throw new EncoderError("load_failed", "could not be read: the reader for its type did not load", {}, { cause });
  });
  signal?.throwIfAborted();
  const reading = await read(bytes, signal);
  signal?.throwIfAborted();
  const text = reading.text.toWellFormed();
  if (text.trim() === "") throw new EncoderError("empty_input", "contains no text");
  checkTextLength(text.length);
  return { title: shortTitle(reading.title.toWellFormed()) || titleOf(text), kind, text };
}

const readMarkdown: Reader = (bytes) => {
  const text = decodeText(bytes);
  return { title: titleOfMarkdown(text), text };
};
