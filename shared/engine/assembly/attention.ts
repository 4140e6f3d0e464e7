// Attention of one text, head by head. Queries and keys are quantized by row and head, values by text and head.

import { powerOfTwo } from "./activation";
import { factors, keyScales, keys, probabilities, queries, queryScales, scores, values } from "./memory";
import { contextRows, scoreRows } from "./products";
import { largestLane, largestMagnitude, quantizeEight, quantizeFourRows, scaleFor, sumOfLanes } from "./quantization";
import { HEAD, HEADS, PROBABILITY_SUM, ROW_BYTES } from "./shape";

/** Factor from the product of query and key to the exponent of 2: log2(e) / sqrt(HEAD). */
const SCORE_UNIT: f32 = 0.17677669529 * 1.44269504089;
const HEAD_BYTES: u32 = HEAD * 4;
/** Stride in bytes of rows with key, value and query side by side. */
const STRIDE: u32 = ROW_BYTES * 3;

/**
 * Attention of `queryCount` queries to a text of `count` tokens.
 * @param keyValues the text's first row of keys, values and queries
 * @param query the first query; queries are `queryStride` bytes apart
 * @param to output: one row of floats per query
 */
export function attend(keyValues: u32, count: u32, query: u32, queryStride: u32, queryCount: u32, to: u32): void {
  const columns = (count + 7) & ~7, pairs = (count + 1) >> 1, scoreBytes = columns << 2;
  for (let head: u32 = 0; head < HEADS; head++, keyValues += HEAD_BYTES, query += HEAD_BYTES, to += HEAD_BYTES) {
    quantizeKeys(keyValues, count, columns);
    const valueScale = quantizeValues(keyValues + ROW_BYTES, count, pairs);
    for (let i: u32 = 0; i < queryCount; i += 4) {
      const rows = min(4, queryCount - i);
      quantizeQueries(query, queryStride, i, queryCount);
      scoreRows(rows, columns, scoreBytes);
      for (let r: u32 = 0; r < rows; r++) {
        const scale = softmax(scores + scoreBytes * r, count, columns, factors + (r << 2));
        store<f32>(queryScales + (r << 2), scale * valueScale);
      }
      quantizeFourRows(scores, scores + scoreBytes, scores + scoreBytes * 2, scores + scoreBytes * 3, columns, factors, probabilities, 16);
      contextRows(rows, pairs, to + i * ROW_BYTES, ROW_BYTES);
    }
  }
}

/** Packs keys in groups of eight, with one scale per key. Repeats the last key up to a multiple of 8. */
// @ts-expect-error: decorator
@inline
function quantizeKeys(from: u32, count: u32, columns: u32): void {
  const last = count - 1;
  for (let j: u32 = 0; j < columns; j += 4) {
    const r0 = from + STRIDE * min(j, last), r1 = from + STRIDE * min(j + 1, last);
    const r2 = from + STRIDE * min(j + 2, last), r3 = from + STRIDE * min(j + 3, last);
    const scale = keyScales + (j << 2);
    store<f32>(scale, scaleFor(largestMagnitude(r0, HEAD), factors) * SCORE_UNIT);
    store<f32>(scale + 4, scaleFor(largestMagnitude(r1, HEAD), factors + 4) * SCORE_UNIT);
    store<f32>(scale + 8, scaleFor(largestMagnitude(r2, HEAD), factors + 8) * SCORE_UNIT);
    store<f32>(scale + 12, scaleFor(largestMagnitude(r3, HEAD), factors + 12) * SCORE_UNIT);
    quantizeFourRows(r0, r1, r2, r3, HEAD, factors, keys + (j >> 3) * HEAD * 16 + ((j & 4) << 2), 32);
  }
}

/** Packs values in pairs of tokens, with a common scale. Returns the scale. */
// @ts-expect-error: decorator
@inline
function quantizeValues(from: u32, count: u32, pairs: u32): f32 {
  let magnitude: f32 = 0;
  for (let j: u32 = 0; j < count; j++) magnitude = max(magnitude, largestMagnitude(from + STRIDE * j, HEAD));
  const scale = scaleFor(magnitude, factors), factor = v128.load_splat<f32>(factors), last = count - 1;
  for (let j: u32 = 0; j < pairs; j++) {
    const r0 = from + STRIDE * (j << 1), r1 = from + STRIDE * min((j << 1) + 1, last);
    let to = values + (j << 5);
    for (let d: u32 = 0; d < HEAD_BYTES; d += 32, to += pairs << 5) {
      const q0 = quantizeEight(r0 + d, factor), q1 = quantizeEight(r1 + d, factor);
      v128.store(to, v128.shuffle<i16>(q0, q1, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(to, v128.shuffle<i16>(q0, q1, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    }
  }
  return scale;
}

/** Packs four queries, starting at `first`. Repeats the last one if there are fewer. */
// @ts-expect-error: decorator
@inline
function quantizeQueries(from: u32, stride: u32, first: u32, count: u32): void {
  const last = count - 1;
  const r0 = from + stride * first, r1 = from + stride * min(first + 1, last);
  const r2 = from + stride * min(first + 2, last), r3 = from + stride * min(first + 3, last);
  store<f32>(queryScales, scaleFor(largestMagnitude(r0, HEAD), factors));
  store<f32>(queryScales + 4, scaleFor(largestMagnitude(r1, HEAD), factors + 4));
  store<f32>(queryScales + 8, scaleFor(largestMagnitude(r2, HEAD), factors + 8));
  store<f32>(queryScales + 12, scaleFor(largestMagnitude(r3, HEAD), factors + 12));
  quantizeFourRows(r0, r1, r2, r3, HEAD, factors, queries, 16);
}

/**
 * Replaces a row of scores, which are exponents of 2, by exponentials with a maximum of 1. Those from `count` to `columns` become 0.
 * Stores the factor to integer probabilities, and returns the scale from weighted sums to the weighted mean.
 */
// @ts-expect-error: decorator
@inline
function softmax(row: u32, count: u32, columns: u32, factorAddress: u32): f32 {
  for (let j = count; j < columns; j++) store<f32>(row + (j << 2), -1e30);
  const end = row + (columns << 2);
  let m = v128.load(row), s0 = f32x4.splat(0), s1 = s0;
  for (let i = row; i < end; i += 32) m = f32x4.pmax(m, f32x4.pmax(v128.load(i), v128.load(i, 16)));
  const largest = f32x4.splat(largestLane(m));
  for (let i = row; i < end; i += 32) {
    const e0 = powerOfTwo(f32x4.sub(v128.load(i), largest)), e1 = powerOfTwo(f32x4.sub(v128.load(i, 16), largest));
    v128.store(i, e0);
    v128.store(i, e1, 16);
    s0 = f32x4.add(s0, e0);
    s1 = f32x4.add(s1, e1);
  }
  const sum = sumOfLanes(f32x4.add(s0, s1));
  const factor = min<f32>(32767, <f32>PROBABILITY_SUM / sum);
  store<f32>(factorAddress, factor);
  return <f32>1 / (factor * sum);
}
