import { maxDimensions, type ScanCodes } from "./vector-codes.ts";

/** The exports of assembly/scan.ts. Addresses and counts are u32. */
interface ScanExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  codesAddress(): number;
  queryAddress(): number;
  levelsAddress(): number;
  productsAddress(): number;
  scan(count: number, chunks: number): void;
}

/** A limit of assembly/scan.ts. */
const codesBytes = 1 << 16;

/** {@link createScan} for the bytes of `scan.wasm`; undefined on hosts without WebAssembly SIMD. */
export async function compileScan(bytes: Uint8Array<ArrayBuffer>): Promise<ScanCodes | undefined> {
  return WebAssembly.validate(bytes) ? createScan(await WebAssembly.compile(bytes)) : undefined;
}

/**
 * Instantiates the scan in WebAssembly. Codes are copied to its memory in parts of 64 KiB, which stay in the cache, so that they are kept
 * once, in their segment.
 * @param module compiled from `scan.wasm`; needs WebAssembly SIMD
 */
export async function createScan(module: WebAssembly.Module): Promise<ScanCodes> {
  const { exports } = await WebAssembly.instantiate(module, {});
  const scan = exports as unknown as ScanExports; // what the module exports, which the build checks
  const memory = scan.memory.buffer;
  return (codes, bytes, query, levels, products) => {
    if (query.length > maxDimensions) throw new RangeError(`Vectors of more than ${maxDimensions} dimensions cannot be searched`);
    new Int16Array(memory, scan.queryAddress(), query.length).set(query);
    new Int8Array(memory, scan.levelsAddress(), 16).set(levels);
    const atOnce = Math.floor(codesBytes / bytes);
    for (let first = 0; first < products.length; first += atOnce) {
      const count = Math.min(atOnce, products.length - first);
      new Uint8Array(memory, scan.codesAddress(), count * bytes).set(codes.subarray(first * bytes, (first + count) * bytes));
      scan.scan(count, bytes / 16);
      products.set(new Int32Array(memory, scan.productsAddress(), count), first);
    }
  };
}
