// Products of quantized rows and packed weights: exact in i32, then converted to floats by the scales of row and column.

import { columnSumsOf, keyScales, keys, panel, probabilities, queries, queryScales, RELAXED, scores, values } from "./memory";
import { HEAD, HIDDEN } from "./shape";

/** Replaces half of the loads by shuffles, for hosts that check memory bounds with explicit instructions, such as workerd. */
// @ts-expect-error: set by the build
const BOUNDS_CHECKED: bool = CHECKED_BUILD != 0;

/** Minimum rows for which a panel is widened to i16 once, for all rows after the first four. */
const WIDEN_FROM: u32 = 8;

// Conversion of a tile's sums to floats: times row and column scale plus bias; times both scales; times the row scale.
const WITH_BIAS: u32 = 0, SCALED: u32 = 1, ROW_SCALED: u32 = 2;

/**
 * Multiplies packed rows by `columns` columns of weights, to rows of floats `stride` bytes apart. Adds a vector (addStride 0) or a matrix,
 * which may be the output itself.
 */
export function product(a: u32, rowScale: u32, rows: u32, w: u32, columns: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  for (let column: u32 = 0; column < columns; column += 8, w += HIDDEN * 8, scale += 32, add += 32, to += 32) {
    if (RELAXED) relaxedRows(a, w, rows, rowScale, scale, add, addStride, to, stride);
    else if (rows < WIDEN_FROM) narrowRows(a, w, rows, rowScale, scale, add, addStride, to, stride);
    else {
      firstRows(a, w, rowScale, scale, add, addStride, to, stride);
      wideRows(a + HIDDEN * 8, panel, rows - 4, rowScale + 16, scale, add + (addStride << 2), addStride, to + (stride << 2), stride);
    }
  }
}

// Not inlined into `product`: V8 allocates registers per function, and each of these fits into the registers.

/** Weights as i16, from `panel`. */
function wideRows(a: u32, w: u32, rows: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  for (; rows >= 4; rows -= 4, a += HIDDEN * 8, rowScale += 16, add += addStride << 2, to += stride << 2)
    tile(4, false, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  if (rows == 1) tile(1, false, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  else if (rows == 2) tile(2, false, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  else if (rows == 3) tile(3, false, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
}

/** Weights as int8, widened as they are read. */
function narrowRows(a: u32, w: u32, rows: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  for (; rows >= 4; rows -= 4, a += HIDDEN * 8, rowScale += 16, add += addStride << 2, to += stride << 2)
    tile(4, true, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  if (rows == 1) tile(1, true, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  else if (rows == 2) tile(2, true, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
  else if (rows == 3) tile(3, true, false, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
}

/** Four rows. Stores the widened weights in `panel`: the stores are almost free here. */
function firstRows(a: u32, w: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  tile(4, true, true, WITH_BIAS, a, w, HIDDEN >> 1, rowScale, scale, add, addStride, to, stride);
}

/** Scores of up to four queries for all keys of a head, eight keys at a time. */
export function scoreRows(rows: u32, keyCount: u32, stride: u32): void {
  let w = keys, scale = keyScales, to = scores;
  for (let key: u32 = 0; key < keyCount; key += 8, w += HEAD * 16, scale += 32, to += 32) {
    if (rows == 4) tile(4, false, false, SCALED, queries, w, HEAD >> 1, queryScales, scale, 0, 0, to, stride);
    else if (rows == 1) tile(1, false, false, SCALED, queries, w, HEAD >> 1, queryScales, scale, 0, 0, to, stride);
    else if (rows == 2) tile(2, false, false, SCALED, queries, w, HEAD >> 1, queryScales, scale, 0, 0, to, stride);
    else tile(3, false, false, SCALED, queries, w, HEAD >> 1, queryScales, scale, 0, 0, to, stride);
  }
}

/** Values of a head, weighted by up to four rows of probabilities: rows of HEAD floats. */
export function contextRows(rows: u32, pairs: u32, to: u32, stride: u32): void {
  let w = values;
  for (let column: u32 = 0; column < HEAD; column += 8, w += pairs << 5, to += 32) {
    if (rows == 4) tile(4, false, false, ROW_SCALED, probabilities, w, pairs, queryScales, 0, 0, 0, to, stride);
    else if (rows == 1) tile(1, false, false, ROW_SCALED, probabilities, w, pairs, queryScales, 0, 0, 0, to, stride);
    else if (rows == 2) tile(2, false, false, ROW_SCALED, probabilities, w, pairs, queryScales, 0, 0, 0, to, stride);
    else tile(3, false, false, ROW_SCALED, probabilities, w, pairs, queryScales, 0, 0, 0, to, stride);
  }
}

/**
 * `m` rows (1 to 4) times a panel of 8 outputs. `a` has pairs of inputs of four rows side by side, i16; `w` has pairs of inputs of
 * eight outputs, i16 or (narrow) int8. With `keep`, the widened weights are stored in `panel`. m, narrow, keep and kind are
 * constants wherever it is inlined. Not unrolled over the inputs: V8 then hoists loads, and spills its registers.
 */
// @ts-expect-error: decorator
@inline
function tile(m: u32, narrow: bool, keep: bool, kind: u32, a: u32, w: u32, pairs: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  let c00 = i32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  const end = w + (narrow ? pairs << 4 : pairs << 5);
  let widened = panel;
  while (w < end) {
    const w0 = narrow ? v128.load_ext<i8>(w) : v128.load(w);
    const w1 = narrow ? v128.load_ext<i8>(w, 8) : v128.load(w, 16);
    if (keep) {
      v128.store(widened, w0);
      v128.store(widened, w1, 16);
      widened += 32;
    }
    const four = BOUNDS_CHECKED ? v128.load(a) : i32x4.splat(0);
    const a0 = BOUNDS_CHECKED ? v128.shuffle<u32>(four, four, 0, 0, 0, 0) : v128.load_splat<u32>(a);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(a0, w0));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(a0, w1));
    if (m > 1) {
      const a1 = BOUNDS_CHECKED ? v128.shuffle<u32>(four, four, 1, 1, 1, 1) : v128.load_splat<u32>(a, 4);
      c10 = i32x4.add(c10, i32x4.dot_i16x8_s(a1, w0));
      c11 = i32x4.add(c11, i32x4.dot_i16x8_s(a1, w1));
    }
    if (m > 2) {
      const a2 = BOUNDS_CHECKED ? v128.shuffle<u32>(four, four, 2, 2, 2, 2) : v128.load_splat<u32>(a, 8);
      c20 = i32x4.add(c20, i32x4.dot_i16x8_s(a2, w0));
      c21 = i32x4.add(c21, i32x4.dot_i16x8_s(a2, w1));
    }
    if (m > 3) {
      const a3 = BOUNDS_CHECKED ? v128.shuffle<u32>(four, four, 3, 3, 3, 3) : v128.load_splat<u32>(a, 12);
      c30 = i32x4.add(c30, i32x4.dot_i16x8_s(a3, w0));
      c31 = i32x4.add(c31, i32x4.dot_i16x8_s(a3, w1));
    }
    w += narrow ? 16 : 32;
    a += 16;
  }
  storeTile(m, kind, c00, c01, c10, c11, c20, c21, c30, c31, rowScale, scale, add, addStride, to, stride);
}

// @ts-expect-error: decorator
@inline
function storeTile(m: u32, kind: u32, c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128, c30: v128, c31: v128, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  const r0 = v128.load_splat<f32>(rowScale);
  storeFour(kind, c00, r0, scale, add, to);
  storeFour(kind, c01, r0, scale + 16, add + 16, to + 16);
  if (m > 1) {
    const r1 = v128.load_splat<f32>(rowScale, 4);
    storeFour(kind, c10, r1, scale, add + addStride, to + stride);
    storeFour(kind, c11, r1, scale + 16, add + addStride + 16, to + stride + 16);
  }
  if (m > 2) {
    const r2 = v128.load_splat<f32>(rowScale, 8);
    storeFour(kind, c20, r2, scale, add + addStride * 2, to + stride * 2);
    storeFour(kind, c21, r2, scale + 16, add + addStride * 2 + 16, to + stride * 2 + 16);
  }
  if (m > 3) {
    const r3 = v128.load_splat<f32>(rowScale, 12);
    storeFour(kind, c30, r3, scale, add + addStride * 3, to + stride * 3);
    storeFour(kind, c31, r3, scale + 16, add + addStride * 3 + 16, to + stride * 3 + 16);
  }
}

// @ts-expect-error: decorator
@inline
function storeFour(kind: u32, c: v128, rowScale: v128, scale: u32, add: u32, to: u32): void {
  let y = f32x4.mul(f32x4.convert_i32x4_s(c), rowScale);
  if (kind != ROW_SCALED) y = f32x4.mul(y, v128.load(scale));
  if (kind == WITH_BIAS) y = f32x4.add(y, v128.load(add));
  v128.store(to, y);
}

/** The relaxed build's rows: 16 products an instruction where the processor has SDOT or VNNI. */
function relaxedRows(a: u32, w: u32, rows: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  for (; rows >= 4; rows -= 4, a += HIDDEN * 8, rowScale += 16, add += addStride << 2, to += stride << 2)
    relaxedTile(4, a, w, rowScale, scale, add, addStride, to, stride);
  if (rows == 1) relaxedTile(1, a, w, rowScale, scale, add, addStride, to, stride);
  else if (rows == 2) relaxedTile(2, a, w, rowScale, scale, add, addStride, to, stride);
  else if (rows == 3) relaxedTile(3, a, w, rowScale, scale, add, addStride, to, stride);
}

/**
 * `tile` by the relaxed dot: upper halves of the activations first, the sums shifted by 7 bits, then the lower halves. Both halves
 * have 7 bits and pairs of products stay below 2^15, so every result that the relaxed SIMD specification allows is this one.
 */
// @ts-expect-error: decorator
@inline
function relaxedTile(m: u32, a: u32, w: u32, rowScale: u32, scale: u32, add: u32, addStride: u32, to: u32, stride: u32): void {
  // Activations have 8192 added, which is 64 in the upper half: 64 times the column's sum is taken away again.
  const sums = columnSumsOf(w);
  const s0 = i32x4.shl(i32x4.neg(v128.load(sums)), 6), s1 = i32x4.shl(i32x4.neg(v128.load(sums, 16)), 6);
  let c00 = s0, c01 = s1, c10 = s0, c11 = s1, c20 = s0, c21 = s1, c30 = s0, c31 = s1;
  const end = w + HIDDEN * 8;
  for (let half: u32 = 0; ; half++) {
    let v = w;
    while (v < end) {
      const w0 = v128.load(v), w1 = v128.load(v, 16);
      const a0 = v128.load_splat<u32>(a);
      c00 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a0, c00);
      c01 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a0, c01);
      if (m > 1) {
        const a1 = v128.load_splat<u32>(a, 4);
        c10 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a1, c10);
        c11 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a1, c11);
      }
      if (m > 2) {
        const a2 = v128.load_splat<u32>(a, 8);
        c20 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a2, c20);
        c21 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a2, c21);
      }
      if (m > 3) {
        const a3 = v128.load_splat<u32>(a, 12);
        c30 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a3, c30);
        c31 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a3, c31);
      }
      v += 32;
      a += 16;
    }
    if (half) break;
    c00 = i32x4.shl(c00, 7), c01 = i32x4.shl(c01, 7), c10 = i32x4.shl(c10, 7), c11 = i32x4.shl(c11, 7);
    c20 = i32x4.shl(c20, 7), c21 = i32x4.shl(c21, 7), c30 = i32x4.shl(c30, 7), c31 = i32x4.shl(c31, 7);
  }
  storeTile(m, WITH_BIAS, c00, c01, c10, c11, c20, c21, c30, c31, rowScale, scale, add, addStride, to, stride);
}
