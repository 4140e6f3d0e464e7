// GELU by rows, and 2^x. Both use polynomials, since the math libraries of hosts return different bits.

import { factors } from "./memory";
import { largestLane, quantizeForProduct, ROUNDING, scaleFor } from "./quantization";
import { ROW_BYTES } from "./shape";

/** Applies GELU to up to four consecutive rows in place, and quantizes them for the next product. */
export function geluRows(address: u32, rows: u32, quantized: u32, scales: u32): void {
  for (let r: u32 = 0, row = address; r < rows; r++, row += ROW_BYTES) {
    let m = f32x4.splat(0);
    for (let i: u32 = 0; i < ROW_BYTES; i += 16) {
      const y = gelu(v128.load(row + i));
      v128.store(row + i, y);
      m = f32x4.pmax(m, f32x4.abs(y));
    }
    store<f32>(scales + (r << 2), scaleFor(largestLane(m), factors + (r << 2)));
  }
  quantizeForProduct(address, quantized);
}

/**
 * x / 2 * (1 + erf(x / sqrt(2))), with erf as the quotient of two polynomials on [-4, 4], beyond which it is 1 in float32. The
 * coefficients are those of Eigen (MathFunctionsImpl.h, generic_fast_erf_float).
 */
// @ts-expect-error: decorator
@inline
function gelu(x: v128): v128 {
  let z = f32x4.mul(x, f32x4.splat(0.70710678118));
  z = f32x4.pmin(f32x4.splat(4), f32x4.pmax(f32x4.splat(-4), z));
  const s = f32x4.mul(z, z);
  let p = f32x4.add(f32x4.mul(s, f32x4.splat(-2.72614225801306e-10)), f32x4.splat(2.77068142495902e-8));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-2.10102402082508e-6));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-5.69250639462346e-5));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-7.34990630326855e-4));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-2.95459980854025e-3));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-1.60960333262415e-2));
  let q = f32x4.add(f32x4.mul(s, f32x4.splat(-1.45660718464996e-5)), f32x4.splat(-2.13374055278905e-4));
  q = f32x4.add(f32x4.mul(s, q), f32x4.splat(-1.68282697438203e-3));
  q = f32x4.add(f32x4.mul(s, q), f32x4.splat(-7.37332916720468e-3));
  q = f32x4.add(f32x4.mul(s, q), f32x4.splat(-1.42647390514189e-2));
  const erf = f32x4.div(f32x4.mul(z, p), q), half = f32x4.mul(x, f32x4.splat(0.5));
  return f32x4.add(half, f32x4.mul(half, erf));
}

/** 2^x for x <= 0, with a relative error of 2e-7: the integer part sets the exponent, a polynomial computes the rest. */
// @ts-expect-error: decorator
@inline
export function powerOfTwo(x: v128): v128 {
  const t = f32x4.pmax(f32x4.splat(-126), x), shifted = f32x4.add(t, f32x4.splat(ROUNDING));
  const f = f32x4.sub(t, f32x4.sub(shifted, f32x4.splat(ROUNDING)));
  let p = f32x4.add(f32x4.mul(f, f32x4.splat(1.3333558146e-3)), f32x4.splat(9.6181291076e-3));
  p = f32x4.add(f32x4.mul(f, p), f32x4.splat(5.5504108665e-2));
  p = f32x4.add(f32x4.mul(f, p), f32x4.splat(0.24022650696));
  p = f32x4.add(f32x4.mul(f, p), f32x4.splat(0.69314718056));
  p = f32x4.add(f32x4.mul(f, p), f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}
