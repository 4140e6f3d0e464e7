import type { VectorCode } from "../index/vector-codes.ts";
import type { ChunkedDocument, Entry, Passage } from "./passages.ts";

/** A stored document with the code of each passage's vector; null where there was none yet. */
export interface StoredDocument extends ChunkedDocument {
  /** Of the vectors; null when there are none. */
  readonly dimensions: number | null;
  readonly codes: readonly (VectorCode | null)[];
}

/** The vectors of an index. */
export interface IndexVectors {
  /** Of the model that made them; null when there are none. */
  readonly fingerprint: string | null;
  /** 0 when there are none. */
  readonly dimensions: number;
  /** The code of the vector of a passage's hash. Null when there is none. */
  codeOf(hash: string): VectorCode | null;
}

/**
 * Persists a search index. It is called for every change, in order, and applies each change atomically. No call rejects: the
 * documents stay searchable when they cannot be stored. Stored vectors of another model than a change's are deleted in the same change.
 */
export interface IndexStore {
  /** Adds documents; a document replaces the one with the same id. */
  putDocuments(entries: readonly Entry[], vectors: IndexVectors): Promise<void>;
  /** Adds vectors of passages whose documents may have been removed since. */
  putVectors(passages: readonly Passage[], vectors: IndexVectors): Promise<void>;
  removeDocuments(ids: readonly string[]): Promise<void>;
}
