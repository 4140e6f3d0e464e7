/** Token ids of one text, special tokens included, within the model's limit. */
export type TokenIds = readonly number[];

/**
 * The runtime of a session: the WebAssembly engine (pages, isolates, Node.js), native ONNX Runtime (Node.js), or ONNX Runtime on WebGPU
 * (pages).
 */
export type Device = "wasm" | "native" | "webgpu";

/** Limits of a run. */
export interface BatchPolicy {
  /** Maximum texts. */
  readonly texts: number;
  /** Maximum tokens, padding included. A longer text runs alone. */
  readonly tokens: number;
  /** Texts are padded to the longest text of the run, rounded up to a multiple of this. Default: no padding. */
  readonly lengthStep?: number;
}

/** One text per run. */
export const oneTextPerRun: BatchPolicy = { texts: 1, tokens: Number.POSITIVE_INFINITY };

/**
 * A loaded model on one device. Sessions are the seam between the platforms. The owner must run one batch at a time: sessions do not
 * enforce that.
 */
export interface Session {
  readonly device: Device;
  readonly batch: BatchPolicy;
  /**
   * Computes the pooled vectors of token ids, in input order: each [dimensions] float32, not normalized, in a buffer of its own.
   * @param texts at least one, within the limits of `batch`
   */
  run(texts: readonly TokenIds[]): Promise<Float32Array<ArrayBuffer>[]>;
  /** Frees the model. Called once, after the last run. */
  dispose(): Promise<void>;
}

/** The padded length in tokens of a run whose longest text has `length` tokens. */
export function paddedLength(length: number, { lengthStep = 1 }: BatchPolicy): number {
  return Math.ceil(length / lengthStep) * lengthStep;
}

/**
 * Number of consecutive texts, starting at `first`, that fit into one run: at least one.
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
