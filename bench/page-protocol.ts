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
  /** Longest task of the page's thread since the last call, in ms; 0 below 50 ms, which browsers do not report. */
  longestTask(): number;
}

declare global {
  var benchPage: BenchPage;
}
