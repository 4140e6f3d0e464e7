/** Token ids of one text, special tokens included, within the model's limit. */
export type TokenIds = readonly number[];

/** Where a session computes. `node` and `edge` run on CPUs, as `wasm` does. */
export type Device = "node" | "wasm" | "webgpu" | "edge";

/** How many texts may share a run. */
export interface BatchPolicy {
  /** The most texts in one run: 1 on CPUs, where padding and batching only cost. */
  readonly texts: number;
  /** The most tokens in one run, padding counted. A single longer text still runs, alone. */
  readonly tokens: number;
  /** Texts are padded to a multiple of so many tokens, so that runs have few shapes. Default 1: to the longest of their run. */
  readonly lengthStep?: number;
}

/** What a short probe has measured when the session was made. */
export interface Speed {
  /** One short question, in ms. */
  readonly query: number;
  /** In runs as full as the session's policy allows. */
  readonly tokensPerSecond: number;
}

/** One text a run: no padding, flat memory, and a vector cannot depend on its neighbours. */
export const oneTextPerRun: BatchPolicy = { texts: 1, tokens: Number.POSITIVE_INFINITY };

/**
 * A loaded model on one device: the one seam between the platforms. Whoever holds it runs one batch at a time
 * (see `createSessionEncoder`); no session guards itself.
 */
export interface Session {
  readonly device: Device;
  readonly batch: BatchPolicy;
  /** Only of a session that was made to be compared with others. */
  readonly speed?: Speed;
  /**
   * Token ids to pooled vectors, in the order given: each [dimensions] float32, not normalized, in a buffer of its own.
   * Never called with more than `batch.texts` texts, with an empty list, or while a run is under way.
   */
  run(texts: readonly TokenIds[]): Promise<Float32Array<ArrayBuffer>[]>;
  /** Frees the model. Called once, after the last run. */
  dispose(): Promise<void>;
}

/** The length, in tokens, to which a text of `length` tokens is padded when it is the longest of its run. */
export function paddedLength(length: number, { lengthStep = 1 }: BatchPolicy): number {
  return Math.ceil(length / lengthStep) * lengthStep;
}

/**
 * Cuts texts into runs: sorted by length, so that little is padded, under the policy's bounds.
 * @param lengths tokens of each text
 * @returns runs as lists of indexes into `lengths`; every index exactly once
 */
export function planRuns(lengths: readonly number[], policy: BatchPolicy): number[][] {
  const indexes = lengths.map((_, index) => index);
  if (policy.texts === 1) return indexes.map((index) => [index]);
  const lengthOf = (index: number) => paddedLength(lengths[index] ?? 0, policy);
  indexes.sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  const runs: number[][] = [];
  for (const index of indexes) {
    const run = runs.at(-1);
    // Sorted ascending, so the newcomer is the longest and sets the padded length of all.
    const fits = run && run.length < policy.texts && (run.length + 1) * lengthOf(index) <= policy.tokens;
    if (fits) run.push(index);
    else runs.push([index]);
  }
  return runs;
}
