import { EncoderError } from "../errors.ts";

/** The properties of a model that the engine needs. */
export interface EngineModel {
  readonly architecture: Architecture;
  readonly maxTokens: number;
  readonly pooling: "cls" | "mean";
}

/** Dimensions of a BERT encoder. */
export interface Architecture {
  readonly layers: number;
  /** Dimensions of a token's vector. */
  readonly hidden: number;
  readonly heads: number;
  /** Width of the feed-forward layer. */
  readonly intermediate: number;
  readonly vocabulary: number;
}

/** The shape for which the engine is compiled: see `assembly/shape.ts`. */
export const shape = { hidden: 384, heads: 12, intermediate: 1536, maxTokens: 512 } as const;

/** Rows and columns of a packed matrix. */
export const matrixWidth = shape.hidden;
/** Packed matrices of a layer: see `parts` in weights.ts. */
export const matricesPerLayer = 12;

/** A manifest with larger values is invalid. */
const maxLayers = 48;
const maxVocabulary = 1_000_000;

/**
 * Throws `load_failed` for a model that the engine does not support. It supports BERT encoders with 384 dimensions, 12 heads and 1536
 * intermediate columns, with up to 48 layers and a vocabulary of up to 1,000,000 tokens.
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

/** Number of floats in engine.bin before the word scales: embedding norm, token type, layers, position scales. */
export function parameterCount({ layers }: Architecture): number {
  return shape.hidden * 3 + layers * shape.hidden * 24 + shape.maxTokens;
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function unsupported(reason: string): EncoderError {
  return new EncoderError("load_failed", `The WASM engine does not support this model: ${reason}`);
}
