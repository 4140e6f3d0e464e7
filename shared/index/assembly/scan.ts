// Integer dot products of a query with 4-bit vector codes: the inner loop of semantic search.

/** Bytes of codes that are scanned by one call. The caller copies them to `codes`. */
const CODES_BYTES: u32 = 1 << 16;
/** Maximum dimensions of a query: see vector-codes.ts. */
const MAX_DIMENSIONS: u32 = 4096;
/** Maximum number of codes in one call: the smallest code has 32 dimensions. */
const MAX_CODES: u32 = CODES_BYTES >> 4;

const codes: u32 = <u32>memory.data(CODES_BYTES, 16);
const query: u32 = <u32>memory.data(MAX_DIMENSIONS * 2, 16);
const levels: u32 = <u32>memory.data(16, 16);
const products: u32 = <u32>memory.data(MAX_CODES * 4, 16);

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
  const bytes = chunks << 4;
  const limit = min(count, MAX_CODES);
  let code = codes;
  let place: u32 = 0;
  // Four codes share the loads of the query.
  for (; place + 4 <= limit; place += 4, code += bytes << 2) {
    let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
    let component = query;
    for (let at = code, last = code + bytes; at < last; at += 16, component += 64) {
      const q0 = v128.load(component), q1 = v128.load(component, 16), q2 = v128.load(component, 32), q3 = v128.load(component, 48);
      a = i32x4.add(a, product(at, q0, q1, q2, q3));
      b = i32x4.add(b, product(at + bytes, q0, q1, q2, q3));
      c = i32x4.add(c, product(at + (bytes << 1), q0, q1, q2, q3));
      d = i32x4.add(d, product(at + bytes * 3, q0, q1, q2, q3));
    }
    const to = products + (place << 2);
    store<i32>(to, sum(a));
    store<i32>(to, sum(b), 4);
    store<i32>(to, sum(c), 8);
    store<i32>(to, sum(d), 12);
  }
  for (; place < limit; place++, code += bytes) {
    let a = i32x4.splat(0);
    let component = query;
    for (let at = code, last = code + bytes; at < last; at += 16, component += 64) {
      a = i32x4.add(a, product(at, v128.load(component), v128.load(component, 16), v128.load(component, 32), v128.load(component, 48)));
    }
    store<i32>(products + (place << 2), sum(a));
  }
}

/** The products of 32 dimensions, in four lanes. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function product(at: u32, q0: v128, q1: v128, q2: v128, q3: v128): v128 {
  const table = v128.load(levels);
  const packed = v128.load(at);
  const first = i8x16.swizzle(table, v128.and(packed, i8x16.splat(15)));
  const second = i8x16.swizzle(table, i8x16.shr_u(packed, 4));
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(first), q0), i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(first), q1)),
    i32x4.add(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(second), q2), i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(second), q3)),
  );
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function sum(lanes: v128): i32 {
  return i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1) + i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3);
}
