import { centroidOf, defaultBackground, minRelevance, relevanceOf } from "../index/relevance.ts";
import type { Similarity } from "./answer.ts";
import type { Passage, PassageTable } from "./passages.ts";
import { dotProduct, VectorIndex } from "./vector-index.ts";

/** The vectors of passages, by the hash of the embedded text: passages with the same text share a vector. */
export class SemanticIndex {
  readonly #table: PassageTable;
  /** By hash. Null until the first vector is added. */
  #vectors: VectorIndex<string> | null = null;
  /** The centroid of unrelated passages: see relevance.ts. */
  #cohort: Float32Array | null = null;
  /** Of the model that makes the vectors; null until it is known. */
  fingerprint: string | null = null;

  constructor(table: PassageTable) {
    this.#table = table;
  }

  /** 0 before the first vector. */
  get dimensions(): number {
    return this.#vectors?.dimensions ?? 0;
  }

  has(hash: string): boolean {
    return this.#vectors?.has(hash) ?? false;
  }

  /** A view of a vector, valid until the index changes; null when there is none. */
  get(hash: string): Float32Array | null {
    return this.#vectors?.get(hash) ?? null;
  }

  /** Copies the vector, and counts it for each document with a passage of this hash. */
  set(hash: string, vector: Float32Array): void {
    this.#vectors ??= new VectorIndex(vector.length);
    if (!this.#vectors.has(hash)) for (const { entry, readable } of this.#table.passagesByHash(hash)) if (readable) entry.embedded += 1;
    this.#vectors.set(hash, vector);
  }

  delete(hash: string): void {
    this.#vectors?.delete(hash);
  }

  /** Removes all vectors: another model made them. */
  clear(): void {
    this.#vectors = null;
    this.#cohort = null;
    for (const entry of this.#table.entries()) entry.embedded = 0;
  }

  /** Sets the unrelated passages whose mean cosine with a query is the query's background. */
  setCohort(cohort: readonly Float32Array[]): void {
    this.#cohort = centroidOf(cohort);
  }

  /** The relevant passages nearest to the query, best first. */
  search(query: Float32Array, limit: number, accept: (passage: Passage) => boolean): Passage[] {
    const acceptHash = (hash: string) => {
      for (const passage of this.#table.passagesByHash(hash)) if (accept(passage)) return true;
      return false;
    };
    const background = this.#background(query);
    return (this.#vectors?.search(query, limit, { accept: acceptHash }) ?? [])
      .filter(({ score }) => relevanceOf(score, background) >= minRelevance)
      .flatMap(({ key }) => [...this.#table.passagesByHash(key)].filter(accept));
  }

  similarity({ hash }: Passage, query: Float32Array | null): Similarity {
    const vector = query && this.get(hash);
    if (!vector) return { cosine: null, relevance: null };
    const cosine = dotProduct(query, vector);
    return { cosine, relevance: relevanceOf(cosine, this.#background(query)) };
  }

  #background(query: Float32Array): number {
    return this.#cohort ? dotProduct(query, this.#cohort) : defaultBackground;
  }
}
