import { readFile as readBytes, readdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { CallOptions, Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { readableKind, readFile } from "../../shared/reading/read-file.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { Document } from "../../shared/search/library.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";

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
  /** Passages with their vectors: fewer than there are to be when `signal` ended it. Then this file as `previous` goes on from there. */
  readonly coverage: Coverage;
  /** Files that are not in it, by their paths, and why: the end of a sentence that begins with the path. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Makes an index file of a folder's files that can be read (see `readFile`) and those of its folders; what begins with a dot is
 * left out. A document's id is its path within the folder, with slashes. The same files give the same bytes, with a previous index,
 * a whole one or not, or without.
 *
 * A signal while passages are embedded ends that, and the file has the vectors so far; before, this rejects with its reason.
 * Rejects as `Encoder.embed` does, as the file system does where the folder cannot be listed, and as `readIndexFile` does when
 * `previous` is no good index file.
 */
export async function indexFolder(folder: string, encoder: Encoder, options: IndexFolderOptions = {}): Promise<IndexedFolder> {
  const { previous, onProgress, signal } = options;
  const documents: Document[] = [];
  const skipped: { path: string; reason: string }[] = [];
  for (const path of await filesIn(folder)) {
    const document = await readDocument(folder, path, signal);
    if (typeof document === "string") skipped.push({ path, reason: document });
    else documents.push(document);
  }

  const engine = new SearchEngine(encoder);
  await engine.load(signal && { signal });
  if (previous) await engine.importIndex(previous, { reembed: true });
  signal?.throwIfAborted();
  try {
    await engine.add(documents, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
  } catch (error) {
    if (!signal?.aborted) throw error;
    engine.pause();
  }
  // Not before: a file that was renamed takes over the vectors of what it was.
  const present = new Set(documents.map(({ id }) => id));
  await engine.remove(engine.documents().flatMap(({ id }) => (present.has(id) ? [] : [id])));
  const file = await engine.exportIndex();
  return { file, documents: documents.length, passages: engine.size, coverage: engine.coverage(), skipped };
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

/** The document, or why there is none. Rejects with the signal's reason alone. */
async function readDocument(folder: string, path: string, signal: AbortSignal | undefined): Promise<Document | string> {
  const file = join(folder, path);
  try {
    readableKind(path, (await stat(file)).size);
    return { id: path, ...(await readFile(path, new Uint8Array(await readBytes(file)), signal && { signal })) };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof EncoderError) return error.message;
    // What the file system refuses has a code.
    return `cannot be read${error instanceof Error && "code" in error ? ` (${error.code})` : ""}`;
  }
}
