import type { CutDocument, Entry, Passage } from "./passages.ts";

/** A document as it was kept, with its vectors: passage by passage, null where there was none yet. */
export interface KeptDocument extends CutDocument {
  readonly vectors: readonly (Float32Array | null)[];
}

/** A view of the vector that belongs to a passage's hash, good until something else is awaited. Null when there is none. */
export type VectorOf = (hash: string) => Float32Array | null;

/**
 * Keeps what a search holds beyond its life. It is told of every change, documents in the order in which they changed. Each
 * change is kept whole or not at all. None rejects: what cannot be kept can be searched all the same. `fingerprint` is that of
 * the model that made the vectors of a change; null where there are none. Vectors of another model that are kept go with it.
 */
export interface IndexKeeper {
  /** Documents were added, each in the place of one that has its id. */
  putDocuments(entries: readonly Entry[], vectorOf: VectorOf, fingerprint: string | null): Promise<void>;
  /** Passages got their vectors; their documents may have been removed since. */
  putVectors(passages: readonly Passage[], vectorOf: VectorOf, fingerprint: string | null): Promise<void>;
  removeDocuments(ids: readonly string[]): Promise<void>;
}
