// LayerNormalization, row by row.

import { factors, fourRows } from "./memory";
import { largestLane, quantizeForProduct, scaleFor, sumOfLanes } from "./quantization";
import { EPSILON, HIDDEN, ROW_BYTES } from "./shape";

/**
 * Adds the rows at `add` (0: none) to up to four rows, normalizes them in place, and quantizes them, times `inputScale`, for the next
 * product.
 * @param norm weight and bias
 * @param scales output: one scale per row
 */
export function normalizeRows(address: u32, add: u32, rows: u32, norm: u32, inputScale: u32, quantized: u32, scales: u32): void {
  for (let r: u32 = 0; r < rows; r++, address += ROW_BYTES) {
    if (add) {
      for (let i: u32 = 0; i < ROW_BYTES; i += 16) v128.store(address + i, f32x4.add(v128.load(address + i), v128.load(add + i)));
      add += ROW_BYTES;
    }
    const magnitude = normalizeRow(address, norm, inputScale, fourRows + r * ROW_BYTES);
    store<f32>(scales + (r << 2), scaleFor(magnitude, factors + (r << 2)));
  }
  quantizeForProduct(fourRows, quantized);
}

/** Normalizes a row in place, and writes it, times `inputScale`, to `to`. Returns the largest magnitude in `to`. */
// @ts-expect-error: decorator
@inline
function normalizeRow(address: u32, norm: u32, inputScale: u32, to: u32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, v0 = s0, v1 = s0, m = s0;
  for (let i: u32 = 0; i < ROW_BYTES; i += 32) {
    s0 = f32x4.add(s0, v128.load(address + i));
    s1 = f32x4.add(s1, v128.load(address + i, 16));
  }
  const mean = f32x4.splat(sumOfLanes(f32x4.add(s0, s1)) / <f32>HIDDEN);
  for (let i: u32 = 0; i < ROW_BYTES; i += 32) {
    const d0 = f32x4.sub(v128.load(address + i), mean), d1 = f32x4.sub(v128.load(address + i, 16), mean);
    v0 = f32x4.add(v0, f32x4.mul(d0, d0));
    v1 = f32x4.add(v1, f32x4.mul(d1, d1));
  }
  const deviation = sqrt<f32>(sumOfLanes(f32x4.add(v0, v1)) / <f32>HIDDEN + EPSILON);
  const factor = f32x4.splat(<f32>1 / deviation);
  for (let i: u32 = 0; i < ROW_BYTES; i += 16) {
    const d = f32x4.mul(f32x4.sub(v128.load(address + i), mean), factor);
    const y = f32x4.add(f32x4.mul(d, v128.load(norm + i)), v128.load(norm + i, ROW_BYTES));
    v128.store(address + i, y);
    const z = f32x4.mul(y, v128.load(inputScale + i));
    v128.store(to + i, z);
    m = f32x4.pmax(m, f32x4.abs(z));
  }
  return largestLane(m);
}
