// Reorders weights at load, to the order in which products read them.

import { columnSumsOf, RELAXED, weights } from "./memory";
import { HIDDEN, MATRIX } from "./shape";

/**
 * Packs HIDDEN x HIDDEN int8 weights, in rows of `stride` bytes, into the matrix of this index: panels of 8 outputs, in which
 * inputs are interleaved in pairs for `i32x4.dot_i16x8_s`, or in fours for the relaxed dot, which also needs the column sums.
 */
export function pack(source: u32, stride: u32, matrix: u32): void {
  let to = weights + matrix * MATRIX;
  for (let column: u32 = 0; column < HIDDEN; column += 8, source += 8) {
    let sumLow = i32x4.splat(0),
      sumHigh = sumLow;
    const panelAddress = to;
    for (let row: u32 = 0, from = source; row < HIDDEN; row += 4, from += stride << 2, to += 32) {
      const r0 = v128.load_zero<u64>(from),
        r1 = v128.load_zero<u64>(from + stride);
      const r2 = v128.load_zero<u64>(from + stride * 2),
        r3 = v128.load_zero<u64>(from + stride * 3);
      const p0 = v128.shuffle<i8>(r0, r1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const p1 = v128.shuffle<i8>(r2, r3, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      if (RELAXED) {
        v128.store(to, v128.shuffle<i16>(p0, p1, 0, 8, 1, 9, 2, 10, 3, 11));
        v128.store(to, v128.shuffle<i16>(p0, p1, 4, 12, 5, 13, 6, 14, 7, 15), 16);
        const sum = i16x8.add(
          i16x8.add(v128.load_ext<i8>(from), v128.load_ext<i8>(from + stride)),
          i16x8.add(v128.load_ext<i8>(from + stride * 2), v128.load_ext<i8>(from + stride * 3)),
        );
        sumLow = i32x4.add(sumLow, i32x4.extend_low_i16x8_s(sum));
        sumHigh = i32x4.add(sumHigh, i32x4.extend_high_i16x8_s(sum));
      } else {
        v128.store(to, p0);
        v128.store(to, p1, 16);
      }
    }
    if (RELAXED) {
      v128.store(columnSumsOf(panelAddress), sumLow);
      v128.store(columnSumsOf(panelAddress), sumHigh, 16);
    }
  }
}
