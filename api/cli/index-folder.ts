import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import type { CallOptions, Encoder } from "../../shared/encoder/encoder.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { Document } from "../../shared/search/library.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";

/** Files that are text as they stand. */
const textFiles = new Set([".txt", ".md", ".csv", ".json", ".jsonl"]);

/** The largest file that is read, in bytes: some two thousand pages. */
const largestFile = 4_000_000;

export interface IndexFolderOptions extends CallOptions {
  /** An index file of this folder as it was: what has not changed since is not embedded again. */
  readonly previous?: Uint8Array<ArrayBuffer>;
  readonly onProgress?: (progress: Coverage) => void;
}

export interface IndexedFolder {
  /** The index file. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly documents: number;
  readonly passages: number;
  /** Files that are not in it, by their paths, and why: the end of a sentence that begins with the path. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Makes an index file of a folder's text files (txt, md, csv, json, jsonl) and those of its folders; what begins with a dot is left
 * out. A document's id is its path within the folder, with slashes. The same files give the same bytes, with a previous index or without.
 *
 * Rejects as `Encoder.embed` does, as the file system does where the folder cannot be listed, and as `readIndexFile` does when
 * `previous` is no good index file.
 */
export async function indexFolder(folder: string, encoder: Encoder, options: IndexFolderOptions = {}): Promise<IndexedFolder> {
  const { previous, onProgress, signal } = options;
  const documents: Document[] = [];
  const skipped: { path: string; reason: string }[] = [];
  for (const path of await filesIn(folder)) {
    signal?.throwIfAborted();
    const document = await readDocument(folder, path);
    if (typeof document === "string") skipped.push({ path, reason: document });
    else documents.push(document);
  }

  const engine = new SearchEngine(encoder);
  await engine.load(signal && { signal });
  if (previous) await engine.importIndex(previous, { reembed: true });
  await engine.add(documents, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
  // Not before: a file that was renamed takes over the vectors of what it was.
  const present = new Set(documents.map(({ id }) => id));
  for (const { id } of engine.documents()) if (!present.has(id)) await engine.remove(id);
  return { file: await engine.exportIndex(), documents: documents.length, passages: engine.size, skipped };
}

/** Paths within the folder, with slashes, in an order that is always the same. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, sep).length).replaceAll(sep, "/"))
    .filter((path) => !path.split("/").some((part) => part.startsWith(".")))
    .sort();
}

/** The document, or why there is none. */
async function readDocument(folder: string, path: string): Promise<Document | string> {
  const extension = extname(path).toLowerCase();
  if (!textFiles.has(extension)) return "is of a kind that is not read";
  const file = join(folder, path);
  try {
    if ((await stat(file)).size > largestFile) return `has more than ${largestFile / 1e6} MB`;
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
    if (text.trim() === "") return "has no text in it";
    return { id: path, title: titleOf(text), kind: extension.slice(1), text };
  } catch (error) {
    // TextDecoder's refusal; what the file system refuses has a code.
    if (error instanceof Error && "code" in error && error.code !== "ERR_ENCODING_INVALID_ENCODED_DATA")
      return `cannot be read (${error.code})`;
    return "is not text in UTF-8";
  }
}

/** What a text calls itself: its first line, without Markdown's sign of a heading, shortened at a word's end. */
function titleOf(text: string): string {
  const line = (text.trim().split("\n")[0] ?? "").replace(/^#{1,6}\s+/, "").trim();
  return line.length <= 80 ? line : `${line.slice(0, 80).replace(/\s+\S*$/, "")} …`;
}
