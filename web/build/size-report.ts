import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { filesOf, type GraphName, parseManifest } from "../../shared/encoder/manifest.ts";
import type { RuntimeFile } from "./runtimes.ts";

/** The most that a first visit may fetch, in bytes. The page's code counts as compressed, without the runtime's own script. */
const limits = { webgpu: 45_000_000, wasm: 40_000_000, code: 250_000 };

/** What each device fetches at the first visit: see `web/device-pool.ts`. */
const graphs: { readonly [device in "wasm" | "webgpu"]: readonly GraphName[] } = { wasm: ["cpu"], webgpu: ["gpu", "cpu"] };

const runtimeScript = /^ort\./;

/**
 * Prints what a first visit fetches, and fails the build where that is more than it may be.
 * @param model the model's folder
 * @param files whether a file of the site, by its name, is part of a first visit, and whether it is fetched to read files
 */
export function sizeReport(
  model: string,
  runtimes: Readonly<Record<"wasm" | "webgpu", RuntimeFile>>,
  { ofFirstVisit, ofReading }: { ofFirstVisit: (name: string) => boolean; ofReading: (name: string) => boolean },
): Plugin {
  return {
    name: "size-report",
    writeBundle({ dir = "." }, bundle) {
      const compressed = (names: string[]) => sum(names.map((name) => gzipSync(readFileSync(join(dir, name))).byteLength));
      const names = Object.keys(bundle).filter(ofFirstVisit);
      const code = compressed(names.filter((name) => /\.(js|css|html)$/.test(name) && !isRuntimeScript(name)));
      const content = sum(names.filter((name) => /\.(json|bin)$/.test(name)).map((name) => statSync(join(dir, name)).size));
      const manifest = parseManifest(JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")));
      const firstVisit = (device: "wasm" | "webgpu") => {
        const files = new Set(graphs[device].flatMap((graph) => filesOf(manifest, graph)));
        const script = compressed(names.filter((name) => isRuntimeScript(name) && name.includes(device)));
        return code + content + script + runtimes[device].bytes + sum([...files].map((file) => manifest.files[file]?.bytes ?? Number.NaN));
      };
      const found = { webgpu: firstVisit("webgpu"), wasm: firstVisit("wasm"), code };
      this.info(
        `first visit on WebGPU ${megabytes(found.webgpu)}, on WASM ${megabytes(found.wasm)}, page code of it ${megabytes(code)} (gzip); ` +
          `readers of files ${megabytes(compressed(Object.keys(bundle).filter(ofReading)))} (gzip)`,
      );
      for (const [what, limit] of Object.entries(limits)) {
        const size = found[what as keyof typeof limits];
        if (!(size <= limit)) this.error(`${what} has ${size} bytes, of ${limit} that it may have at a first visit`);
      }
    },
  };
}

const isRuntimeScript = (name: string) => runtimeScript.test(name.slice(name.lastIndexOf("/") + 1));
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
