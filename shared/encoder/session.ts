/** Token ids of one text, special tokens included, within the model's limit. */
export type TokenIds = readonly number[];

/**
 * What computes: the project's WebAssembly engine (pages, isolates, Node), ONNX Runtime's native library (Node), or ONNX Runtime on
 * WebGPU (pages).
 */
export type Device = "wasm" | "native" | "webgpu";

/** How many texts may share a run. */
export interface BatchPolicy {
  readonly texts: number;
  /** The most tokens in one run, padding counted. A single longer text still runs, alone. */
  readonly tokens: number;
  /** Texts are padded to the longest of their run, and that to a multiple of so many tokens. Default: nothing is padded. */
  readonly lengthStep?: number;
}

/** One text a run. */
export const oneTextPerRun: BatchPolicy = { texts: 1, tokens: Number.POSITIVE_INFINITY };

/**
 * A loaded model on one device: the one seam between the platforms. Its owner runs one batch at a time (see
 * `createSessionEncoder`); no session guards itself.
 */
export interface Session {
  readonly device: Device;
  readonly batch: BatchPolicy;
  /**
   * Token ids to pooled vectors, in the order given: each [dimensions] float32, not normalized, in a buffer of its own.
   * Never called with more than `batch` allows, with an empty list, or while a run is under way.
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
 * How many texts, from the one at `first` on, share a run: at least one.
 * @param lengths tokens of each text
 */
export function textsOfRun(lengths: readonly number[], policy: BatchPolicy, first = 0): number {
  let longest = 0;
  let sum = 0;
  let count = 0;
  while (count < policy.texts && first + count < lengths.length) {
    const length = lengths[first + count] ?? 0;
    longest = Math.max(longest, paddedLength(length, policy));
    sum += length;
    const tokens = policy.lengthStep === undefined ? sum : longest * (count + 1);
    if (count > 0 && tokens > policy.tokens) break;
    count += 1;
  }
  return count;
}
