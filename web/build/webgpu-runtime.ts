import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

export interface RuntimeFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes ONNX Runtime's build for WebGPU to a folder, compressed with gzip: any static host then serves it small, and it is not too large
 * for hosts that take assets up to 25 MiB. It is not called .gz, because some servers would tell the browser to inflate what the worker
 * inflates itself.
 * @returns what `web/encoder/webgpu-runtime.ts` is to be told
 */
export function packWebgpuRuntime(directory: string): RuntimeFile {
  mkdirSync(directory, { recursive: true });
  const source = createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm");
  const packed = gzipSync(readFileSync(source), { level: 9 });
  const file = "webgpu.bin";
  writeFileSync(join(directory, file), packed);
  return { file, bytes: packed.byteLength, sha256: createHash("sha256").update(packed).digest("hex") };
}

/**
 * Keeps bundlers, ours and those of the npm package's pages, from shipping the runtime a second time, raw: its script names it, and
 * itself, in `new URL`, which is never used.
 */
export function withoutRawRuntimes(): Plugin {
  return {
    name: "without-raw-runtimes",
    enforce: "pre",
    transform: {
      filter: { id: /onnxruntime-web\/dist\/.*\.mjs$/ },
      handler: (code) => code.replace(/(new \w+\("ort[^"]*\.(?:wasm|mjs)",\s*)import\.meta\.url/g, "$1self.location.href"),
    },
  };
}
