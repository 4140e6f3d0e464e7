import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** ONNX Runtime's two builds, by the device that each is for. */
const sources = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };

export interface RuntimeFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes both runtimes to a folder, compressed with gzip: any static host then serves them small, and none is too large
 * for hosts that take assets up to 25 MiB. They are not called .gz, because some servers would tell the browser to inflate
 * what the worker inflates itself.
 * @returns what `web/runtimes.ts` is to be told
 */
export function packRuntimes(directory: string): Record<keyof typeof sources, RuntimeFile> {
  mkdirSync(directory, { recursive: true });
  const resolve = createRequire(import.meta.url).resolve;
  const pack = (device: keyof typeof sources): RuntimeFile => {
    const packed = gzipSync(readFileSync(resolve(`onnxruntime-web/${sources[device]}`)), { level: 9 });
    const file = `${device}.bin`;
    writeFileSync(join(directory, file), packed);
    return { file, bytes: packed.byteLength, sha256: createHash("sha256").update(packed).digest("hex") };
  };
  return { wasm: pack("wasm"), webgpu: pack("webgpu") };
}

/**
 * Keeps bundlers, ours and those of the npm package's pages, from shipping the runtimes a second time, raw: their scripts
 * name them, and themselves, in `new URL`, which is never used.
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
