// All memory is reserved once, before the weights are loaded. It does not grow afterwards.

import { FLOATS_BEFORE_LAYERS, FLOATS_PER_LAYER, HEAD, HIDDEN, INTERMEDIATE, MATRICES_PER_LAYER, MATRIX, MAX_TOKENS, ROW_BYTES } from "./shape";

// @ts-expect-error: set by the compiler
export const RELAXED: bool = ASC_FEATURE_RELAXED_SIMD;

/** Maximum rows (tokens) that can be reserved for a run. */
const MAX_ROWS: u32 = 4096;
const MAX_LAYERS: u32 = 48;
const MAX_TEXTS: u32 = 256;

let top: u32 = <u32>__heap_base;

/** Allocates bytes at an address that is a multiple of 64. `reserve` then grows the memory, before any access. */
function allocate(bytes: u32): u32 {
  const address = (top + 63) & ~63;
  top = address + bytes;
  return address;
}

export let layers: u32 = 0;
export let rowCapacity: u32 = 0, textCapacity: u32 = 0;

// The model.
/** Packed matrices, layer by layer. */
export let weights: u32 = 0;
/** Column sums of the packed matrices, i32. Only in the relaxed build. */
export let columnSums: u32 = 0;
/** The floats of engine.bin, except the word scales. */
export let parameters: u32 = 0;
export let positionScales: u32 = 0;
/** int8 rows. */
export let positions: u32 = 0;

// Input and output of a run.
/** int8 word rows of the tokens, copied by the host from the word table. */
export let words: u32 = 0;
export let wordScales: u32 = 0;
/** u32 per text: the end of its rows, exclusive. */
export let textEnds: u32 = 0;
/** HIDDEN floats per text. */
export let pooled: u32 = 0;

// Intermediate results of a run: rows of HIDDEN floats, or of HIDDEN quantized activations with one scale per row.
export let states: u32 = 0, quantizedStates: u32 = 0, stateScales: u32 = 0;
/** Keys, values and queries side by side: rows of 3 x HIDDEN floats. */
export let keyValueQuery: u32 = 0;
export let context: u32 = 0;
/** A quarter of the feed-forward layer. Shares its memory with keys, values and queries, which are no longer needed. */
export let intermediate: u32 = 0, quantizedIntermediate: u32 = 0, intermediateScales: u32 = 0;
/** The first token of each text, in the last layer of a model with CLS pooling. */
export let firstStates: u32 = 0, quantizedFirstStates: u32 = 0, firstScales: u32 = 0;

// For one attention head.
export let keys: u32 = 0, keyScales: u32 = 0, values: u32 = 0, queries: u32 = 0, queryScales: u32 = 0, scores: u32 = 0, probabilities: u32 = 0;

// For one step of a product.
/** Eight outputs' weights, widened to i16. */
export let panel: u32 = 0;
/** Four rows of floats. */
export let fourRows: u32 = 0;
/** Quantization factors of up to four rows. */
export let factors: u32 = 0;

/**
 * Reserves memory for a model with `layerCount` layers, and for runs of up to `rows` tokens in up to `texts` texts. To be called once.
 * @returns false, without reserving, if a count is out of bounds or the memory cannot be allocated
 */
export function reserve(layerCount: u32, rows: u32, texts: u32): bool {
  if (layers != 0 || layerCount - 1 >= MAX_LAYERS || rows - 1 >= MAX_ROWS || texts - 1 >= MAX_TEXTS) return false;
  const reservedRows = (rows + 3) & ~3, reservedTexts = (texts + 3) & ~3;
  const longest: u32 = (min(reservedRows, MAX_TOKENS) + 7) & ~7;

  weights = allocate(MATRIX * MATRICES_PER_LAYER * layerCount);
  if (RELAXED) columnSums = allocate(HIDDEN * MATRICES_PER_LAYER * 4 * layerCount);
  const floats = FLOATS_BEFORE_LAYERS + FLOATS_PER_LAYER * layerCount;
  parameters = allocate((floats + MAX_TOKENS) << 2);
  positionScales = parameters + (floats << 2);
  positions = allocate(MAX_TOKENS * HIDDEN);

  words = allocate(reservedRows * HIDDEN);
  wordScales = allocate(reservedRows << 2);
  textEnds = allocate(reservedTexts << 2);
  pooled = allocate(reservedTexts * ROW_BYTES);

  states = allocate(reservedRows * ROW_BYTES);
  quantizedStates = allocate(reservedRows * HIDDEN * 2);
  stateScales = allocate(reservedRows << 2);
  // Before the first run, this memory holds the matrix that is being packed.
  keyValueQuery = allocate(max(reservedRows * ROW_BYTES * 3, HIDDEN * INTERMEDIATE));
  intermediate = keyValueQuery;
  quantizedIntermediate = intermediate + reservedRows * ROW_BYTES;
  intermediateScales = quantizedIntermediate + reservedRows * HIDDEN * 2;
  context = allocate(reservedRows * ROW_BYTES);
  firstStates = allocate(reservedTexts * ROW_BYTES);
  quantizedFirstStates = allocate(reservedTexts * HIDDEN * 2);
  firstScales = allocate(reservedTexts << 2);

  keys = allocate(longest * HEAD * 2);
  keyScales = allocate(longest << 2);
  values = allocate(longest * HEAD * 2);
  queries = allocate(HEAD * 2 * 4);
  queryScales = allocate(16);
  scores = allocate(longest << 4);
  probabilities = allocate(longest << 3);
  panel = allocate(HIDDEN * 16);
  fourRows = allocate(ROW_BYTES * 4);
  factors = allocate(16);

  const pages = <i32>((top + 0xffff) >> 16);
  if (pages > memory.size() && memory.grow(pages - memory.size()) < 0) return false;
  layers = layerCount;
  rowCapacity = rows;
  textCapacity = texts;
  return true;
}

/** Address of a layer's matrix. */
// @ts-expect-error: decorator
@inline
export function matrixOf(layer: u32, index: u32): u32 {
  return weights + (layer * MATRICES_PER_LAYER + index) * MATRIX;
}

/** Address of a layer's floats. */
// @ts-expect-error: decorator
@inline
export function parametersOf(layer: u32): u32 {
  return parameters + ((FLOATS_BEFORE_LAYERS + layer * FLOATS_PER_LAYER) << 2);
}

/** Address of the column sums of a packed panel. */
// @ts-expect-error: decorator
@inline
export function columnSumsOf(panelAddress: u32): u32 {
  return columnSums + ((panelAddress - weights) / HIDDEN << 2);
}

// Addresses that the host writes to and reads from.
export function parametersAddress(): u32 { return parameters; }
export function positionsAddress(): u32 { return positions; }
/** HIDDEN x INTERMEDIATE bytes, which a run overwrites. */
export function scratchAddress(): u32 { return keyValueQuery; }
export function wordsAddress(): u32 { return words; }
export function wordScalesAddress(): u32 { return wordScales; }
export function textEndsAddress(): u32 { return textEnds; }
export function pooledAddress(): u32 { return pooled; }
