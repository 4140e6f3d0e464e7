import type { FiledDocument } from "./index-file.ts";
import { type CutDocument, cutDocument, type Entry } from "./passages.ts";

/** The documents that go into an index file, in its order: all but those that came with the page, and each vector once. */
export function filedEntries(all: readonly Entry[], vectorOf: (hash: string) => Float32Array | null) {
  const entries = all.filter(({ builtIn }) => !builtIn).sort((a, b) => (a.document.id < b.document.id ? -1 : 1));
  const rows = new Map<string, number>();
  const vectors: Float32Array[] = [];
  const rowOf = (hash: string): number | null => {
    const vector = vectorOf(hash);
    // A copy: what the index gives is good until it changes.
    if (vector && !rows.has(hash)) rows.set(hash, vectors.push(vector.slice()) - 1);
    return rows.get(hash) ?? null;
  };
  const documents = entries.map(({ document: { id, title, kind, text }, passages }): FiledDocument => {
    const filed = passages.map(({ chunk: { start, end, headings }, hash }) => ({ start, end, headings, vector: rowOf(hash) }));
    return { id, title, kind, text, passages: filed };
  });
  return { entries, documents, vectors };
}

/** The documents of an index file, cut as they were when it was written. */
export function cutDocumentsOfFile(documents: readonly FiledDocument[]): Promise<CutDocument[]> {
  return Promise.all(
    documents.map(({ passages, ...document }) => {
      // What has a vector was readable when it was made.
      const chunks = passages.map(({ vector, ...chunk }) => (vector === null ? chunk : { ...chunk, readable: true }));
      return cutDocument(document, chunks);
    }),
  );
}
