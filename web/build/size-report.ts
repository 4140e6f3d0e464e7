import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { filesOf, parseManifest } from "../../shared/encoder/manifest.ts";
import type { RuntimeFile } from "./webgpu-runtime.ts";

export const sizeReportName = "size-report";

/** Maximum bytes of a first visit, of WebGPU in addition, and of the code in a first visit. Code is counted gzip-compressed. */
const limits = { firstVisit: 36_000_000, webgpu: 8_000_000, code: 250_000 };

/**
 * Prints the download sizes, and fails the build if one exceeds its limit.
 * @param model folder of the model
 * @param files predicates on file names: fetched on a first visit, for WebGPU, or for reading files
 */
export function sizeReport(
  model: string,
  webgpuRuntime: RuntimeFile,
  { onFirstVisit, forWebgpu, forReading }: Record<"onFirstVisit" | "forWebgpu" | "forReading", (name: string) => boolean>,
): Plugin {
  return {
    name: sizeReportName,
    writeBundle({ dir = "." }, bundle) {
      const compressed = (names: string[]) => sum(names.map((name) => gzipSync(readFileSync(join(dir, name))).byteLength));
      const names = Object.keys(bundle).filter(onFirstVisit);
      const code = compressed(names.filter((name) => /\.(js|css|html)$/.test(name)));
      const content = sum(names.filter((name) => /\.(json|bin)$/.test(name)).map((name) => statSync(join(dir, name)).size));
      const manifest = parseManifest(JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")));
      const bytesOf = (files: readonly string[]) => sum(files.map((file) => manifest.files[file]?.bytes ?? Number.NaN));
      const found = {
        firstVisit: code + content + bytesOf(filesOf(manifest, "wasm")),
        webgpu: compressed(Object.keys(bundle).filter(forWebgpu)) + webgpuRuntime.bytes + bytesOf([manifest.devices.webgpu.file]),
        code,
      };
      this.info(
        `first visit ${megabytes(found.firstVisit)}, including ${megabytes(code)} of code (gzip); WebGPU adds ` +
          `${megabytes(found.webgpu)}; file readers ${megabytes(compressed(Object.keys(bundle).filter(forReading)))} (gzip)`,
      );
      for (const [what, limit] of Object.entries(limits)) {
        const size = found[what as keyof typeof limits];
        if (!(size <= limit)) this.error(`${what} has ${size} bytes; the limit is ${limit}`);
      }
    },
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
