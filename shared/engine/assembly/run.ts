// A run computes one vector per text. The rows of the tokens of all texts are contiguous, without padding.
// Every float operation is float32, in a fixed order, without fused arithmetic, and every row is quantized separately. Therefore the
// vector of a text has the same bits on every host, in every build, and with any other texts in the run.

import { geluRows } from "./activation";
import { attend } from "./attention";
import {
  context, factors, firstScales, firstStates, intermediate, intermediateScales, keyValueQuery, layers, matrixOf, parameters, parametersOf,
  pooled, positionScales, positions, quantizedFirstStates, quantizedIntermediate, quantizedStates, rowCapacity, stateScales,states, 
  textCapacity, textEnds, wordScales,words, 
} from "./memory";
import { normalizeRows } from "./normalization";
import { product } from "./products";
import { largestMagnitude, quantizeForProduct, scaleFor } from "./quantization";
import {
  ATTENTION_BIASES, ATTENTION_INPUT_SCALE, ATTENTION_NORM, ATTENTION_OUTPUT_BIAS, ATTENTION_OUTPUT_MATRIX, ATTENTION_OUTPUT_SCALE,
  ATTENTION_SCALES, HIDDEN, INTERMEDIATE_BIAS, INTERMEDIATE_INPUT_SCALE, INTERMEDIATE_MATRIX, INTERMEDIATE_SCALE, KEY_MATRIX, MATRIX,
  MAX_TOKENS, OUTPUT_BIAS, OUTPUT_MATRIX, OUTPUT_NORM, OUTPUT_SCALE, QUERY_MATRIX, ROW_BYTES, TOKEN_TYPE,
} from "./shape";

/** Stride in bytes of rows with key, value and query side by side. */
const STRIDE: u32 = ROW_BYTES * 3;

/**
 * Computes the vectors of `texts` texts, not normalized. Before the call, the host writes the int8 rows of their tokens, the scales of the
 * rows, and the end of each text's rows.
 * @param mean whether to pool the mean of all tokens instead of the first token
 * @returns false, without computing, if texts or tokens exceed the reserved numbers
 */
export function run(texts: u32, mean: bool): bool {
  if (texts - 1 >= textCapacity) return false;
  let rows: u32 = 0;
  for (let t: u32 = 0; t < texts; t++) {
    const end = endOf(t);
    if (end - rows - 1 >= MAX_TOKENS || end > rowCapacity) return false;
    rows = end;
  }
  embedTokens(texts, rows);
  for (let layer: u32 = 0; layer < layers - 1; layer++) runLayer(layer, texts, rows);
  if (mean) {
    runLayer(layers - 1, texts, rows);
    poolMeans(texts);
  } else {
    runLastLayer(texts, rows);
  }
  return true;
}

// @ts-expect-error: decorator
@inline
function endOf(text: u32): u32 {
  return load<u32>(textEnds + (text << 2));
}

/** Adds word, position and token type embeddings, and normalizes the sum. */
function embedTokens(texts: u32, rows: u32): void {
  for (let t: u32 = 0, row: u32 = 0; t < texts; t++) {
    const end = endOf(t);
    for (let place: u32 = 0; row < end; row++, place++) embedToken(row, place);
  }
  const inputScale = parametersOf(0) + (ATTENTION_INPUT_SCALE << 2);
  for (let i: u32 = 0; i < rows; i += 4)
    normalizeRows(states + i * ROW_BYTES, 0, min(4, rows - i), parameters, inputScale, quantizedStates + i * HIDDEN * 2, stateScales + (i << 2));
}

// @ts-expect-error: decorator
@inline
function embedToken(row: u32, place: u32): void {
  const word = words + row * HIDDEN, position = positions + place * HIDDEN, to = states + row * ROW_BYTES;
  const wordScale = v128.load_splat<f32>(wordScales + (row << 2)), positionScale = v128.load_splat<f32>(positionScales + (place << 2));
  for (let k: u32 = 0; k < HIDDEN; k += 8) {
    const u = v128.load_ext<i8>(word + k), v = v128.load_ext<i8>(position + k), type = parameters + ((TOKEN_TYPE + k) << 2);
    const u0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(u)), u1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(u));
    const v0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), v1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v));
    v128.store(to + (k << 2), f32x4.add(f32x4.mul(u0, wordScale), f32x4.add(f32x4.mul(v0, positionScale), v128.load(type))));
    v128.store(to + (k << 2), f32x4.add(f32x4.mul(u1, wordScale), f32x4.add(f32x4.mul(v1, positionScale), v128.load(type, 16))), 16);
  }
}

function runLayer(layer: u32, texts: u32, rows: u32): void {
  const p = parametersOf(layer), scales = p + (ATTENTION_SCALES << 2), biases = p + (ATTENTION_BIASES << 2);
  product(quantizedStates, stateScales, rows, matrixOf(layer, KEY_MATRIX), HIDDEN * 3, scales, biases, 0, keyValueQuery, STRIDE);
  for (let t: u32 = 0, start: u32 = 0; t < texts; t++) {
    const end = endOf(t), row = keyValueQuery + STRIDE * start;
    attend(row, end - start, row + ROW_BYTES * 2, STRIDE, end - start, context + start * ROW_BYTES);
    start = end;
  }
  runAfterAttention(layer, rows, states, quantizedStates, stateScales);
}

/** The last layer with CLS pooling: outputs only the first token of each text. The other tokens provide only keys and values. */
function runLastLayer(texts: u32, rows: u32): void {
  const layer = layers - 1, p = parametersOf(layer), scales = p + (ATTENTION_SCALES << 2), biases = p + (ATTENTION_BIASES << 2);
  product(quantizedStates, stateScales, rows, matrixOf(layer, KEY_MATRIX), HIDDEN * 2, scales, biases, 0, keyValueQuery, STRIDE);
  for (let t: u32 = 0, start: u32 = 0; t < texts; t++) {
    copyFirstToken(t, start);
    start = endOf(t);
  }
  const queryScales = scales + ROW_BYTES * 2, queryBiases = biases + ROW_BYTES * 2;
  product(quantizedFirstStates, firstScales, texts, matrixOf(layer, QUERY_MATRIX), HIDDEN, queryScales, queryBiases, 0, pooled, ROW_BYTES);
  for (let t: u32 = 0, start: u32 = 0; t < texts; t++) {
    const end = endOf(t);
    attend(keyValueQuery + STRIDE * start, end - start, pooled + t * ROW_BYTES, 0, 1, context + t * ROW_BYTES);
    start = end;
  }
  runAfterAttention(layer, texts, firstStates, quantizedFirstStates, firstScales);
  memory.copy(pooled, firstStates, texts * ROW_BYTES);
}

/** Copies a text's first row from the quantized rows, which are interleaved in fours, to the row of the text. */
// @ts-expect-error: decorator
@inline
function copyFirstToken(text: u32, row: u32): void {
  const from = quantizedStates + (row >> 2) * HIDDEN * 8 + ((row & 3) << 2), to = quantizedFirstStates + (text >> 2) * HIDDEN * 8 + ((text & 3) << 2);
  for (let k: u32 = 0; k < HIDDEN * 8; k += 16) store<u32>(to + k, load<u32>(from + k));
  store<f32>(firstScales + (text << 2), load<f32>(stateScales + (row << 2)));
  memory.copy(firstStates + text * ROW_BYTES, states + row * ROW_BYTES, ROW_BYTES);
}

/**
 * The rest of a layer after attention: its output product and the feed-forward layer, each with residual and norm. `context` is read first,
 * and then overwritten by the results of the products.
 */
function runAfterAttention(layer: u32, rows: u32, states: u32, quantized: u32, scales: u32): void {
  const p = parametersOf(layer);
  for (let i: u32 = 0; i < rows; i += 4) {
    const from = context + i * ROW_BYTES;
    for (let r: u32 = 0; r < min(4, rows - i); r++)
      store<f32>(scales + ((i + r) << 2), scaleFor(largestMagnitude(from + r * ROW_BYTES, HIDDEN), factors + (r << 2)));
    quantizeForProduct(from, quantized + i * HIDDEN * 2);
  }
  const outputScale = p + (ATTENTION_OUTPUT_SCALE << 2), outputBias = p + (ATTENTION_OUTPUT_BIAS << 2);
  product(quantized, scales, rows, matrixOf(layer, ATTENTION_OUTPUT_MATRIX), HIDDEN, outputScale, outputBias, 0, context, ROW_BYTES);
  normalizeAll(rows, states, p + (ATTENTION_NORM << 2), p + (INTERMEDIATE_INPUT_SCALE << 2), quantized, scales);

  // A quarter of the intermediate columns at a time, each quantized separately: more precise, with a quarter of the memory.
  for (let quarter: u32 = 0; quarter < 4; quarter++) {
    const columns = quarter * ROW_BYTES, scale = p + (INTERMEDIATE_SCALE << 2) + columns, bias = p + (INTERMEDIATE_BIAS << 2) + columns;
    product(quantized, scales, rows, matrixOf(layer, INTERMEDIATE_MATRIX + quarter), HIDDEN, scale, bias, 0, intermediate, ROW_BYTES);
    for (let i: u32 = 0; i < rows; i += 4)
      geluRows(intermediate + i * ROW_BYTES, min(4, rows - i), quantizedIntermediate + i * HIDDEN * 2, intermediateScales + (i << 2));
    const add = quarter ? context : p + (OUTPUT_BIAS << 2), addStride = quarter ? ROW_BYTES : 0;
    product(
      quantizedIntermediate, intermediateScales, rows, matrixOf(layer, OUTPUT_MATRIX + quarter), HIDDEN,
      p + (OUTPUT_SCALE << 2), add, addStride, context, ROW_BYTES,
    );
  }
  // After the last layer, the quantized rows are not read. The scale is then arbitrary.
  const next = layer + 1 < layers ? parametersOf(layer + 1) : p;
  normalizeAll(rows, states, p + (OUTPUT_NORM << 2), next + (ATTENTION_INPUT_SCALE << 2), quantized, scales);
}

/** Adds `context` to the states and normalizes them. */
// @ts-expect-error: decorator
@inline
function normalizeAll(rows: u32, states: u32, norm: u32, inputScale: u32, quantized: u32, scales: u32): void {
  for (let i: u32 = 0; i < rows; i += 4) {
    const bytes = i * ROW_BYTES;
    normalizeRows(states + bytes, context + bytes, min(4, rows - i), norm, inputScale, quantized + i * HIDDEN * 2, scales + (i << 2));
  }
}

/** Computes the mean of each text's rows, summed in order. */
function poolMeans(texts: u32): void {
  for (let t: u32 = 0, start: u32 = 0; t < texts; t++) {
    const end = endOf(t), count = f32x4.splat(<f32>(end - start)), to = pooled + t * ROW_BYTES;
    for (let i: u32 = 0; i < ROW_BYTES; i += 16) {
      let sum = v128.load(states + start * ROW_BYTES + i);
      for (let row = start + 1; row < end; row++) sum = f32x4.add(sum, v128.load(states + row * ROW_BYTES + i));
      v128.store(to + i, f32x4.div(sum, count));
    }
    start = end;
  }
}
