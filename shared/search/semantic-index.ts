import type { Nearness } from "./answer.ts";
import type { Passage, PassageTable } from "./passages.ts";
import { centroidOf, leastRelevance, relevanceOf, usualBackground } from "./relevance.ts";
import { dotProduct, VectorIndex } from "./vector-index.ts";

/** Passages by their meaning: a vector for each text that is embedded, which passages that have it in common share. */
export class SemanticIndex {
  readonly #table: PassageTable;
  /** By what is embedded. Null until the first vector comes. */
  #vectors: VectorIndex<string> | null = null;
  /** The centroid of unrelated passages: see relevance.ts. */
  #cohort: Float32Array | null = null;
  /** Of the model that makes the vectors; null until there is one to name. */
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

  /** A view of a vector, good until the index is changed; null when there is none. */
  get(hash: string): Float32Array | null {
    return this.#vectors?.get(hash) ?? null;
  }

  /** Copies a vector in, and counts it for the documents that have use for it. */
  keep(hash: string, vector: Float32Array): void {
    this.#vectors ??= new VectorIndex(vector.length);
    if (!this.#vectors.has(hash)) for (const { entry, readable } of this.#table.sharing(hash)) if (readable) entry.embedded += 1;
    this.#vectors.set(hash, vector);
  }

  delete(hash: string): void {
    this.#vectors?.delete(hash);
  }

  /** Forgets all vectors, which another model made. */
  clear(): void {
    this.#vectors = null;
    this.#cohort = null;
    for (const entry of this.#table.entries()) entry.embedded = 0;
  }

  /** Passages that have nothing to do with each other, against whose nearness to a query a passage is judged. */
  judgeAgainst(cohort: readonly Float32Array[]): void {
    this.#cohort = centroidOf(cohort);
  }

  /** The passages nearest to the query that are at all relevant, best first. */
  nearest(query: Float32Array, limit: number, accept: (passage: Passage) => boolean): Passage[] {
    const acceptHash = (hash: string) => {
      for (const passage of this.#table.sharing(hash)) if (accept(passage)) return true;
      return false;
    };
    const background = this.#background(query);
    return (this.#vectors?.search(query, limit, { accept: acceptHash }) ?? [])
      .filter(({ score }) => relevanceOf(score, background) >= leastRelevance)
      .flatMap(({ key }) => [...this.#table.sharing(key)].filter(accept));
  }

  nearness({ hash }: Passage, query: Float32Array | null): Nearness {
    const vector = query && this.get(hash);
    if (!vector) return { cosine: null, relevance: null };
    const cosine = dotProduct(query, vector);
    return { cosine, relevance: relevanceOf(cosine, this.#background(query)) };
  }

  #background(query: Float32Array): number {
    return this.#cohort ? dotProduct(query, this.#cohort) : usualBackground;
  }
}
