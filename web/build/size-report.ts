import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { filesOf, parseManifest } from "../../shared/encoder/manifest.ts";
import type { RuntimeFile } from "./webgpu-runtime.ts";

/** The most that a first visit may fetch, and what WebGPU may add to it later, in bytes. Code counts as compressed. */
const limits = { firstVisit: 36_000_000, webgpu: 8_000_000, code: 250_000 };

/**
 * Prints what a first visit fetches, and fails the build where that is more than it may be.
 * @param model the model's folder
 * @param files whether a file of the site, by its name, is part of a first visit, is fetched for WebGPU, or to read files
 */
export function sizeReport(
  model: string,
  webgpuRuntime: RuntimeFile,
  { ofFirstVisit, ofWebgpu, ofReading }: Record<"ofFirstVisit" | "ofWebgpu" | "ofReading", (name: string) => boolean>,
): Plugin {
  return {
    name: "size-report",
    writeBundle({ dir = "." }, bundle) {
      const compressed = (names: string[]) => sum(names.map((name) => gzipSync(readFileSync(join(dir, name))).byteLength));
      const names = Object.keys(bundle).filter(ofFirstVisit);
      const code = compressed(names.filter((name) => /\.(js|css|html)$/.test(name)));
      const content = sum(names.filter((name) => /\.(json|bin)$/.test(name)).map((name) => statSync(join(dir, name)).size));
      const manifest = parseManifest(JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")));
      const bytesOf = (files: readonly string[]) => sum(files.map((file) => manifest.files[file]?.bytes ?? Number.NaN));
      const found = {
        firstVisit: code + content + bytesOf(filesOf(manifest, "wasm")),
        webgpu: compressed(Object.keys(bundle).filter(ofWebgpu)) + webgpuRuntime.bytes + bytesOf([manifest.devices.webgpu.file]),
        code,
      };
      this.info(
        `first visit ${megabytes(found.firstVisit)}, page code of it ${megabytes(code)} (gzip); WebGPU, when it pays, ` +
          `${megabytes(found.webgpu)} more; readers of files ${megabytes(compressed(Object.keys(bundle).filter(ofReading)))} (gzip)`,
      );
      for (const [what, limit] of Object.entries(limits)) {
        const size = found[what as keyof typeof limits];
        if (!(size <= limit)) this.error(`${what} has ${size} bytes, more than the ${limit} that it may have`);
      }
    },
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
