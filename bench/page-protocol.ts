/** What the benchmark asks its page for. Both sides import it: the process that drives the browser, and the page. */

/** A way to embed in a browser, on WASM. */
export type PageMethod =
  | { readonly encoder: "samevec"; readonly workers: number }
  | { readonly encoder: "pipeline"; readonly textsPerCall: number; readonly model: PageModel };

/** The peers' model. */
export interface PageModel {
  readonly name: string;
  /** The path of the page's server that has a folder of that name; null for the hub. */
  readonly served: string | null;
}

/** The page's global. A page loads one method. */
export interface BenchPage {
  /** Resolves when every worker is ready. */
  load(method: PageMethod): Promise<void>;
  /** Loads and embeds a text as soon as it can. @returns ms from the navigation to its vector */
  first(method: PageMethod, text: string): Promise<number>;
  /** Keeps the vectors for `vectors`: handing them over would be a task of the page's thread. @returns how long it took, in s */
  embed(texts: readonly string[]): Promise<number>;
  /** Those of the last call, L2-normalized. */
  vectors(): number[][];
  /** The longest task of the page's own thread since the last call, in ms; 0 below the 50 ms that browsers report. */
  longestTask(): number;
}

declare global {
  var benchPage: BenchPage;
}
