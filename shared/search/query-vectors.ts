/** Query vectors that are kept, so that a query that is asked again costs nothing while documents come in. */
const mostAsked = 32;

/** The vectors of queries: those of a library's examples, and of what was asked lately. */
export class QueryVectors {
  #examples: ReadonlyMap<string, Float32Array> = new Map();
  readonly #asked = new Map<string, Float32Array>();

  /** Vectors that came with a library: they stand in for the earlier ones. */
  useExamples(examples: ReadonlyMap<string, Float32Array>): void {
    this.#examples = examples;
  }

  isExample(query: string): boolean {
    return this.#examples.has(query);
  }

  /** Null when it must be computed. `wanted` is what of the query is embedded. */
  get(query: string, wanted: string): Float32Array | null {
    return this.#examples.get(query) ?? this.#asked.get(wanted) ?? null;
  }

  keep(wanted: string, vector: Float32Array): void {
    this.#asked.set(wanted, vector);
    const [oldest] = this.#asked.keys();
    if (oldest !== undefined && this.#asked.size > mostAsked) this.#asked.delete(oldest);
  }

  /** Forgets what another model has computed. */
  clear(): void {
    this.#examples = new Map();
    this.#asked.clear();
  }
}
