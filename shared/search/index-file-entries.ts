import type { IndexFileDocument } from "./index-file.ts";
import { type ChunkedDocument, chunkDocument, type Entry } from "./passages.ts";

/** The documents and vectors for an index file, in file order: without built-in documents, and each vector once. */
export function indexFileEntries(all: readonly Entry[], vectorOf: (hash: string) => Float32Array | null) {
  const entries = all.filter(({ builtIn }) => !builtIn).sort((a, b) => (a.document.id < b.document.id ? -1 : 1));
  const rows = new Map<string, number>();
  const vectors: Float32Array[] = [];
  const rowOf = (hash: string): number | null => {
    const vector = vectorOf(hash);
    // A copy: the view is valid only until the index changes.
    if (vector && !rows.has(hash)) rows.set(hash, vectors.push(vector.slice()) - 1);
    return rows.get(hash) ?? null;
  };
  const documents = entries.map(({ document: { id, title, kind, text }, passages }): IndexFileDocument => {
    const filePassages = passages.map(({ chunk: { start, end, headings }, hash }) => ({ start, end, headings, vector: rowOf(hash) }));
    return { id, title, kind, text, passages: filePassages };
  });
  return { entries, documents, vectors };
}

/** The documents of an index file with the chunks they were written with. */
export function chunkedDocumentsOfFile(documents: readonly IndexFileDocument[]): Promise<ChunkedDocument[]> {
  return Promise.all(
    documents.map(({ passages, ...document }) => {
      // A passage with a vector was readable when the file was written.
      const chunks = passages.map(({ vector, ...chunk }) => (vector === null ? chunk : { ...chunk, readable: true }));
      return chunkDocument(document, chunks);
    }),
  );
}
