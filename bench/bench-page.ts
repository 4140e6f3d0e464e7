/** What the benchmark's page is asked for. Known to both sides: to the process that drives the browser, and to the page. */

import type { InputType } from "../shared/encoder/encoder.ts";
import type { ScanOptions } from "./index-scans.ts";
import type { Scan } from "./search-results.ts";

/** A way to embed in a browser. */
export type Method =
  | { readonly encoder: "samevec"; readonly device: Device; readonly workers: number }
  | { readonly encoder: "pipeline"; readonly device: Device; readonly textsPerCall: number; readonly model: PageModel };

type Device = "wasm" | "webgpu";

/** The published model of the peers, as the page gets at it. */
export interface PageModel {
  readonly name: string;
  /** A path of the page's own server that has a folder of that name; null for the hub. */
  readonly served: string | null;
}

/** As `ScanOptions`, with each vector in base64. */
export interface PackedScan extends Pick<ScanOptions, "size" | "rounds"> {
  readonly real: readonly string[];
  readonly queries: readonly string[];
}

/** What the page gives to whoever drives it. Loads one method in its life. */
export interface BenchPage {
  /** Resolves when every worker is ready. */
  load(method: Method): Promise<void>;
  /**
   * Loads, and embeds a text as soon as that can be done.
   * @returns when its vector was there, in ms since the navigation to this page
   */
  first(method: Method, text: string): Promise<number>;
  /**
   * Embeds, and keeps the vectors for {@link BenchPage.vectors}: handing them out would be a task of the page's thread too.
   * @param kind only for our own encoder. Default: a passage
   * @returns how long it took, in s
   */
  embed(texts: readonly string[], kind?: InputType): Promise<number>;
  /** Those of the last call, L2-normalized, in the order of its texts. */
  vectors(): number[][];
  /** Embeds with our own encoder, and hands the vectors out. Calls may overlap. */
  vectorsOf(texts: readonly string[], inputType: InputType): Promise<number[][]>;
  /** Searches among vectors, in a worker, as the search of the real page does. */
  scan(options: PackedScan): Promise<Scan>;
  /**
   * The longest task that this page's own thread has had since this was last asked, in ms; 0 where none took 50 ms, below
   * which browsers tell nothing.
   */
  longestTask(): number;
  /** The hardware that WebGPU would run on, or why it cannot be used. */
  adapter(): Promise<{ readonly name: string } | { readonly refusal: string }>;
}

declare global {
  var benchPage: BenchPage;
}
