// Quantizes floats to integers. Each row is scaled by its own largest magnitude, so it does not depend on other rows.

import { factors, RELAXED } from "./memory";
import { HIDDEN, LARGEST_ACTIVATION, ROW_BYTES } from "./shape";

/** Adding this to a float puts its nearest integer (ties to even) into the low mantissa bits, for magnitudes below 2^22. */
export const ROUNDING: f32 = 12582912;
const ROUNDING_BITS: i32 = 0x4b400000;
/** Minimum magnitude by which a row is quantized. */
const SMALLEST_MAGNITUDE: f32 = 1e-8;

// pmin and pmax are one instruction on x64, where min and max are several; no operand is NaN.

// @ts-expect-error: decorator
@inline
export function largestLane(v: v128): f32 {
  return max(max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)), max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)));
}

// @ts-expect-error: decorator
@inline
export function sumOfLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** The largest magnitude of n floats; n is a multiple of 4. */
// @ts-expect-error: decorator
@inline
export function largestMagnitude(address: u32, n: u32): f32 {
  let m = f32x4.splat(0);
  for (const end = address + (n << 2); address < end; address += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(address)));
  return largestLane(m);
}

/** Stores the factor from floats to integers of a row, and returns the scale from integers to floats. */
// @ts-expect-error: decorator
@inline
export function scaleFor(magnitude: f32, factorAddress: u32): f32 {
  const safe = max<f32>(magnitude, SMALLEST_MAGNITUDE);
  store<f32>(factorAddress, <f32>LARGEST_ACTIVATION / safe);
  return safe / <f32>LARGEST_ACTIVATION;
}

/** Eight floats, times `factor`, to i16. */
// @ts-expect-error: decorator
@inline
export function quantizeEight(address: u32, factor: v128): v128 {
  const rounding = f32x4.splat(ROUNDING), bits = i32x4.splat(ROUNDING_BITS);
  const low = i32x4.sub(f32x4.add(f32x4.mul(v128.load(address), factor), rounding), bits);
  const high = i32x4.sub(f32x4.add(f32x4.mul(v128.load(address, 16), factor), rounding), bits);
  return i16x8.narrow_i32x4_s(low, high);
}

/**
 * Quantizes four rows of n floats, by the factors at `factorAddress`, to i16: pairs of columns of the four rows side by side, as
 * `i32x4.dot_i16x8_s` takes them, `step` bytes from pair to pair. n is a multiple of 8.
 */
// @ts-expect-error: decorator
@inline
export function quantizeFourRows(r0: u32, r1: u32, r2: u32, r3: u32, n: u32, factorAddress: u32, to: u32, step: u32): void {
  const f0 = v128.load_splat<f32>(factorAddress), f1 = v128.load_splat<f32>(factorAddress, 4);
  const f2 = v128.load_splat<f32>(factorAddress, 8), f3 = v128.load_splat<f32>(factorAddress, 12);
  for (let i: u32 = 0; i < n << 2; i += 32) {
    const q0 = quantizeEight(r0 + i, f0), q1 = quantizeEight(r1 + i, f1), q2 = quantizeEight(r2 + i, f2), q3 = quantizeEight(r3 + i, f3);
    const t0 = v128.shuffle<u32>(q0, q1, 0, 4, 1, 5), t1 = v128.shuffle<u32>(q2, q3, 0, 4, 1, 5);
    const t2 = v128.shuffle<u32>(q0, q1, 2, 6, 3, 7), t3 = v128.shuffle<u32>(q2, q3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(t0, t1, 0, 2));
    v128.store(to + step, v128.shuffle<i64>(t0, t1, 1, 3));
    v128.store(to + step * 2, v128.shuffle<i64>(t2, t3, 0, 2));
    v128.store(to + step * 3, v128.shuffle<i64>(t2, t3, 1, 3));
    to += step << 2;
  }
}

/** Quantizes four consecutive rows of HIDDEN floats, by `factors`, as this build's products take them. */
export function quantizeForProduct(from: u32, to: u32): void {
  if (!RELAXED) return quantizeFourRows(from, from + ROW_BYTES, from + ROW_BYTES * 2, from + ROW_BYTES * 3, HIDDEN, factors, to, 16);
  // 8192 makes them positive, 14 bits: the upper 7 bits of fours of columns of the four rows, then the lower 7 bits of all.
  const offset = i16x8.splat(8192), sevenBits = i16x8.splat(127), lower = to + (HIDDEN << 2);
  for (let r: u32 = 0; r < 4; r++) {
    const factor = v128.load_splat<f32>(factors + (r << 2));
    let address = from + ROW_BYTES * r;
    for (let i: u32 = 0; i < HIDDEN; i += 16, address += 64) {
      const q0 = i16x8.add(quantizeEight(address, factor), offset), q1 = i16x8.add(quantizeEight(address + 32, factor), offset);
      const high = i8x16.narrow_i16x8_u(i16x8.shr_u(q0, 7), i16x8.shr_u(q1, 7));
      const low = i8x16.narrow_i16x8_u(v128.and(q0, sevenBits), v128.and(q1, sevenBits));
      const place = (i << 2) + (r << 2);
      storeFours(to + place, high);
      storeFours(lower + place, low);
    }
  }
}

/** Stores four 32-bit lanes, 16 bytes apart. */
// @ts-expect-error: decorator
@inline
function storeFours(to: u32, v: v128): void {
  v128.store_lane<u32>(to, v, 0);
  v128.store_lane<u32>(to, v, 1, 16);
  v128.store_lane<u32>(to, v, 2, 32);
  v128.store_lane<u32>(to, v, 3, 48);
}
