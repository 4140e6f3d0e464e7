import { readFile } from "node:fs/promises";
import { compileScan } from "../../shared/index/scan.ts";
import type { ScanCodes } from "../../shared/index/vector-codes.ts";

/** Relative to `dist/api/node`. */
const scanModule = new URL("../../engine/scan.wasm", import.meta.url);

/** Loads the scan of vector codes in WebAssembly; undefined where the processor cannot run it. */
export async function loadScan(): Promise<ScanCodes | undefined> {
  return compileScan(Uint8Array.from(await readFile(scanModule)));
}
