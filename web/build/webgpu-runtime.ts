import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** The packed runtime: file name, size and SHA-256. */
export interface RuntimeFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes ONNX Runtime's WebGPU build to a folder, gzip-compressed: it is then small on any static host, and below the limit of 25 MiB
 * that some hosts have. Its name does not end in .gz, since some servers would then send a `content-encoding` and the browser would
 * inflate the file before the worker does.
 * @returns the value of the constant in `web/encoder/webgpu-runtime.ts`
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
 * Prevents bundlers, also those of the package's users, from emitting the runtime a second time, uncompressed. The runtime's script
 * refers to it in a `new URL` that is never used.
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
