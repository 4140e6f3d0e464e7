/** Token ids of one text, special tokens included, within the model's limit. */
export type TokenIds = readonly number[];

/** Where a session computes. `node` and `edge` run on CPUs, as `wasm` does. */
export type Device = "node" | "wasm" | "webgpu" | "edge";

/** How many texts may share a run. */
export interface BatchPolicy {
  readonly texts: number;
  /** The most tokens in one run, padding counted. A single longer text still runs, alone. */
  readonly tokens: number;
  /**
   * Texts are padded to the longest of their run, and that to a multiple of so many tokens, so that runs have few shapes.
   * Without it nothing is padded: only texts of equally many tokens share a run.
   */
  readonly lengthStep?: number;
}

/** What a short probe has measured when the session was made. */
export interface Speed {
  /** One short question, in ms. */
  readonly query: number;
  /** In runs as full as the session's policy allows. */
  readonly tokensPerSecond: number;
}

/** One text a run: no padding, flat memory, and a vector cannot depend on its neighbours, whatever the graph. */
export const oneTextPerRun: BatchPolicy = { texts: 1, tokens: Number.POSITIVE_INFINITY };

/**
 * Short texts of one length together, which reads the weights once for all: eight of 24 tokens take two thirds of the time that
 * they take one by one, beyond 64 tokens nothing is gained. For graphs in which no scale depends on more than one row.
 */
export const equalLengthsPerRun: BatchPolicy = { texts: 8, tokens: 256 };

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

/** How many texts of any length share a run: 1 where only those of one length do. */
export function textsOfAnyLength({ texts, lengthStep }: BatchPolicy): number {
  return lengthStep === undefined ? 1 : texts;
}

/** The length, in tokens, to which a text of `length` tokens is padded when it is the longest of its run. */
export function paddedLength(length: number, { lengthStep = 1 }: BatchPolicy): number {
  return Math.ceil(length / lengthStep) * lengthStep;
}

/**
 * Cuts texts into runs under the policy's bounds: sorted by length, so that little is padded or equal lengths meet.
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
    const alike = policy.lengthStep !== undefined || lengthOf(run?.[0] ?? index) === lengthOf(index);
    if (fits && alike) run.push(index);
    else runs.push([index]);
  }
  return runs;
}
