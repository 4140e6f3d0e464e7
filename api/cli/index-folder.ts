import { readFile as readBytes, readdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { CallOptions, Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { readableKind, readFile } from "../../shared/reading/read-file.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { Document } from "../../shared/search/library.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";

export interface IndexFolderOptions extends CallOptions {
  /** A previous index file of the folder. Its unchanged passages are not embedded again. */
  readonly previous?: Uint8Array<ArrayBuffer>;
  readonly onProgress?: (progress: Coverage) => void;
}

export interface IndexedFolder {
  /** The index file. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly documents: number;
  readonly passages: number;
  /** Incomplete if `signal` stopped the embedding. Pass the file as `previous` to continue. */
  readonly coverage: Coverage;
  /** Skipped files. `reason` continues a sentence that starts with the path. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Indexes the supported files (see `readFile`) of a folder and its subfolders, except hidden ones. A document's id is its relative path
 * with slashes. The same files give the same bytes, with or without a previous index.
 *
 * An abort during embedding returns an index with the vectors computed so far. An earlier abort rejects with the signal's reason. Rejects
 * with the errors of `Encoder.embed`, of `readIndexFile` (for `previous`), and of the file system when the folder cannot be listed.
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
  // Removes documents after adding, so that a renamed file reuses its vectors.
  const present = new Set(documents.map(({ id }) => id));
  await engine.remove(engine.documents().flatMap(({ id }) => (present.has(id) ? [] : [id])));
  const file = await engine.exportIndex();
  return { file, documents: documents.length, passages: engine.size, coverage: engine.coverage(), skipped };
}

/** Lists the files of the folder as sorted relative paths with slashes. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, sep).length).replaceAll(sep, "/"))
    .filter((path) => !path.split("/").some((part) => part.startsWith(".")))
    .sort();
}

/** Returns the document, or the reason to skip the file. Rejects only with the signal's reason. */
async function readDocument(folder: string, path: string, signal: AbortSignal | undefined): Promise<Document | string> {
  const file = join(folder, path);
  try {
    readableKind(path, (await stat(file)).size);
    return { id: path, ...(await readFile(path, new Uint8Array(await readBytes(file)), signal && { signal })) };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof EncoderError) return error.message;
    // File system errors have a code.
    return `cannot be read${error instanceof Error && "code" in error ? ` (${error.code})` : ""}`;
  }
}
