import type { ChunkedDocument, Entry, Passage } from "./passages.ts";

/** A stored document with one vector per passage; null where there was none yet. */
export interface StoredDocument extends ChunkedDocument {
  readonly vectors: readonly (Float32Array | null)[];
}

/** A view of the vector of a passage's hash, valid until the next await. Null when there is none. */
export type VectorOf = (hash: string) => Float32Array | null;

/**
 * Persists a search index. It is called for every change, in order, and applies each change atomically. No call rejects: the
 * documents stay searchable when they cannot be stored. `fingerprint` names the model of the vectors in a change; null when the
 * change has none. Stored vectors of another model are deleted in the same change.
 */
export interface IndexStore {
  /** Adds documents; a document replaces the one with the same id. */
  putDocuments(entries: readonly Entry[], vectorOf: VectorOf, fingerprint: string | null): Promise<void>;
  /** Adds vectors of passages whose documents may have been removed since. */
  putVectors(passages: readonly Passage[], vectorOf: VectorOf, fingerprint: string | null): Promise<void>;
  removeDocuments(ids: readonly string[]): Promise<void>;
}
