// Integer dot products of a query with 4-bit vector codes: the inner loop of semantic search.

/** Bytes of codes that are scanned by one call. The caller copies them to `codes`. */
export const CODES_BYTES: u32 = 1 << 18;
/** Maximum dimensions of a query. */
export const MAX_DIMENSIONS: u32 = 4096;
/** Maximum number of codes in one call: the smallest code has 32 dimensions. */
const MAX_CODES: u32 = CODES_BYTES >> 4;

const codes: u32 = <u32>memory.data(1 << 18, 16);
const query: u32 = <u32>memory.data(4096 * 2, 16);
const levels: u32 = <u32>memory.data(16, 16);
const products: u32 = <u32>memory.data((1 << 14) * 4, 16);

export function codesAddress(): u32 {
  return codes;
}
export function queryAddress(): u32 {
  return query;
}
export function levelsAddress(): u32 {
  return levels;
}
export function productsAddress(): u32 {
  return products;
}

/**
 * Writes the products of `count` codes of `chunks` times 16 bytes. Byte j of a chunk holds dimension j in its lower and dimension j + 16 in
 * its higher half. Exact in i32: the caller limits the query's components.
 */
export function scan(count: u32, chunks: u32): void {
  const table = v128.load(levels);
  const low = i8x16.splat(15);
  let code = codes;
  const end = products + (min(count, MAX_CODES) << 2);
  for (let to = products; to < end; to += 4) {
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    let component = query;
    for (const last = code + (chunks << 4); code < last; code += 16, component += 64) {
      const packed = v128.load(code);
      const first = i8x16.swizzle(table, v128.and(packed, low));
      const second = i8x16.swizzle(table, i8x16.shr_u(packed, 4));
      even = i32x4.add(even, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(first), v128.load(component)));
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(first), v128.load(component, 16)));
      even = i32x4.add(even, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(second), v128.load(component, 32)));
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(second), v128.load(component, 48)));
    }
    const sum = i32x4.add(even, odd);
    store<i32>(to, i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3));
  }
}
