import { EncoderError } from "../errors.ts";

/** What the engine must know of a model. */
export interface EngineModel {
  readonly architecture: Architecture;
  readonly maxTokens: number;
  readonly pooling: "cls" | "mean";
}

export interface Architecture {
  readonly layers: number;
  /** Width of a token's vector. */
  readonly hidden: number;
  readonly heads: number;
  /** Width of the feed-forward part. */
  readonly intermediate: number;
  readonly vocabulary: number;
}

/** The shape that the engine is compiled for: `assembly/shape.ts`. */
export const shape = { hidden: 384, heads: 12, intermediate: 1536, maxTokens: 512 } as const;

/** Rows and columns of a packed matrix. */
export const matrixWidth = shape.hidden;
export const matricesPerLayer = 12;

/** Beyond these, a manifest is taken for damaged. */
const maxLayers = 48;
const maxVocabulary = 1_000_000;

/**
 * Refuses a model that the engine does not compute, with `load_failed` and the reason. It computes BERT encoders of 384 dimensions, 12
 * heads and 1536 intermediate columns, of any number of layers and any vocabulary.
 */
export function checkModel({ architecture, maxTokens }: EngineModel): void {
  const { layers, vocabulary } = architecture;
  for (const part of ["hidden", "heads", "intermediate"] as const) {
    if (architecture[part] !== shape[part]) throw unsupported(`its ${part} is ${architecture[part]}, not ${shape[part]}`);
  }
  if (maxTokens !== shape.maxTokens) throw unsupported(`it has ${maxTokens} positions, not ${shape.maxTokens}`);
  if (!isCount(layers, maxLayers)) throw unsupported(`it has ${layers} layers, not 1 to ${maxLayers}`);
  if (!isCount(vocabulary, maxVocabulary)) throw unsupported(`it has ${vocabulary} tokens in its vocabulary, not 1 to ${maxVocabulary}`);
}

/** Floats of engine.bin before the scales of the words: embedding norm, token type, layers, scales of the positions. */
export function parameterCount({ layers }: Architecture): number {
  return shape.hidden * 3 + layers * shape.hidden * 24 + shape.maxTokens;
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function unsupported(reason: string): EncoderError {
  return new EncoderError("load_failed", `The WASM engine does not support this model: ${reason}`);
}
