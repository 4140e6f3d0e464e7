/** How many recent query vectors are cached, so that repeating a query while documents are added needs no embedding. */
const maxRecent = 32;

/** The vectors of a library's example queries, and a cache of recent query vectors. */
export class QueryVectors {
  #examples: ReadonlyMap<string, Float32Array> = new Map();
  readonly #recent = new Map<string, Float32Array>();

  /** Replaces the vectors of the example queries. */
  useExamples(examples: ReadonlyMap<string, Float32Array>): void {
    this.#examples = examples;
  }

  isExample(query: string): boolean {
    return this.#examples.has(query);
  }

  /**
   * Null when the vector must be computed.
   * @param text the part of the query that is embedded
   */
  get(query: string, text: string): Float32Array | null {
    return this.#examples.get(query) ?? this.#recent.get(text) ?? null;
  }

  add(text: string, vector: Float32Array): void {
    this.#recent.set(text, vector);
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined && this.#recent.size > maxRecent) this.#recent.delete(oldest);
  }

  /** Drops all vectors: another model made them. */
  clear(): void {
    this.#examples = new Map();
    this.#recent.clear();
  }
}
