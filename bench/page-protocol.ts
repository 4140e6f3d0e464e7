/** The protocol between the benchmark process and its page. */

/** A compared method, on WASM in a browser. */
export type PageMethod =
  | { readonly encoder: "samevec"; readonly workers: number }
  | { readonly encoder: "pipeline"; readonly textsPerCall: number; readonly model: PageModel };

/** The peers' model. */
export interface PageModel {
  readonly name: string;
  /** Path of the model's parent folder on the page's server; null for the hub. */
  readonly served: string | null;
}

/** A query and its vector, as JSON. */
export interface PageQuery {
  readonly text: string;
  readonly vector: readonly number[];
}

/** Times of an index in a worker, in ms. */
export interface PageSearchTimes {
  /** From the bytes of the file to a searchable index. */
  readonly open: number;
  /** Of each query, in each round. */
  readonly keyword: readonly number[];
  readonly semantic: readonly number[];
  readonly hybrid: readonly number[];
}

/** Global object of the page. A page loads one method. */
export interface BenchPage {
  /** Resolves when every worker is ready. */
  load(method: PageMethod): Promise<void>;
  /** Loads the model and embeds a text. @returns ms from the navigation to its vector */
  first(method: PageMethod, text: string): Promise<number>;
  /** Embeds texts. `vectors` returns the result: a transfer here would count as a task of the page. @returns duration in s */
  embed(texts: readonly string[]): Promise<number>;
  /** Vectors of the last call, L2-normalized. */
  vectors(): number[][];
  /** Opens an index file in a worker and searches it. The queries of the warm-up are not in the times. */
  search(
    file: string,
    asked: { readonly queries: readonly PageQuery[]; readonly warmUp: readonly PageQuery[]; readonly rounds: number },
  ): Promise<PageSearchTimes>;
  /** Longest task of the page's thread since the last call, in ms; 0 below 50 ms, which browsers do not report. */
  longestTask(): number;
}

declare global {
  var benchPage: BenchPage;
}
