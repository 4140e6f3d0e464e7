/**
 * Files as texts that can be searched: the same bytes give the same text in the page and in Node, hence the same passages
 * and the same vectors. Each kind has a reader of its own, which is loaded when the first file of its kind comes.
 */
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { refuseLongText } from "./paragraphs.ts";
import type { Reader } from "./reading.ts";
import { shortTitle, titleOf, titleOfMarkdown } from "./title.ts";

/** A file as a text. Headings are Markdown's (`# …`), and blank lines stand between paragraphs: see `chunkText`. */
export interface ReadText {
  /** What the text calls itself: it is embedded with every passage, so it is never the file's name while there is anything else. */
  readonly title: string;
  /** The file's kind, whichever of its names it bears: "md" for notes.markdown too. */
  readonly kind: FileKind;
  /** Well-formed, and never blank. */
  readonly text: string;
}

interface FileFormat {
  readonly extensions: readonly string[];
  /** The largest file that is read, in bytes. */
  readonly largest: number;
  /** Loads what the format needs. */
  readonly reader: () => Promise<Reader>;
}

/** Of files that are text, in bytes: more takes seconds to read, and hours to embed. */
const largestText = 20_000_000;

const formats = {
  txt: { extensions: ["txt"], largest: largestText, reader: async () => (bytes) => ({ title: "", text: decodeText(bytes) }) },
  md: { extensions: ["md", "markdown"], largest: largestText, reader: async () => readMarkdown },
  html: { extensions: ["html", "htm"], largest: largestText, reader: async () => (await import("./html.ts")).readHtml },
  // Most of it are pictures and fonts.
  pdf: { extensions: ["pdf"], largest: 50_000_000, reader: async () => (await import("./pdf.ts")).readPdf },
  csv: { extensions: ["csv", "tsv"], largest: largestText, reader: async () => (await import("./csv.ts")).readCsv },
  json: { extensions: ["json"], largest: largestText, reader: async () => (await import("./json.ts")).readJson },
  jsonl: { extensions: ["jsonl", "ndjson"], largest: largestText, reader: async () => (await import("./json.ts")).readJsonLines },
} satisfies Record<string, FileFormat>;

export type FileKind = keyof typeof formats;

/** Extensions of the files that can be read, with their dots, in lower case. */
export const readableExtensions: readonly string[] = Object.values(formats).flatMap(({ extensions }) =>
  extensions.map((name) => `.${name}`),
);

/**
 * The kind of a file by its name, when it can be read: to be asked before its bytes are fetched.
 * Throws `unsupported_file` or `file_too_large`, with messages as those of {@link readFile}.
 * @param size in bytes
 */
export function readableKind(path: string, size: number): FileKind {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  for (const [kind, { extensions, largest }] of Object.entries(formats) as [FileKind, FileFormat][]) {
    if (!extensions.includes(extension)) continue;
    if (size > largest) throw new EncoderError("file_too_large", `has more than ${largest / 1e6} MB`, { limit: largest, found: size });
    return kind;
  }
  throw new EncoderError("unsupported_file", "is of a kind that is not read");
}

/**
 * Reads a file of the kind that its name's extension tells.
 *
 * Rejects with the signal's reason or an `EncoderError`, whose message is the end of a sentence that begins with the file's
 * name, "is encrypted", and tells nothing of what is in it:
 * `unsupported_file`, `file_too_large` (its bytes, its pages or the text in them), `encrypted_file`, `binary_file` (no text at
 * all, whatever its name says), `unreadable_file` (damaged or malformed), `empty_input` (no text in it) and `load_failed` (what reads
 * the kind did not load: a browser may need a new worker to try again).
 * @param path of which the last part is looked at
 */
export async function readFile(path: string, bytes: Uint8Array<ArrayBuffer>, { signal }: { signal?: AbortSignal } = {}): Promise<ReadText> {
  signal?.throwIfAborted();
  const kind = readableKind(path, bytes.length);
  const read = await formats[kind].reader().catch((cause: unknown) => {
    throw new EncoderError("load_failed", "is not read: what reads its kind did not load", {}, { cause });
  });
  signal?.throwIfAborted();
  const reading = await read(bytes, signal);
  signal?.throwIfAborted();
  const text = reading.text.toWellFormed();
  if (text.trim() === "") throw new EncoderError("empty_input", "has no text in it");
  refuseLongText(text.length);
  return { title: shortTitle(reading.title.toWellFormed()) || titleOf(text), kind, text };
}

const readMarkdown: Reader = (bytes) => {
  const text = decodeText(bytes);
  return { title: titleOfMarkdown(text), text };
};
