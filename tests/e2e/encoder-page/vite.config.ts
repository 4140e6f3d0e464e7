import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { derivedPage } from "../../../web/build/derived-page.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const recorders = new Map([
  ["../engine/engine.ts", fromHere("recorded-engine.ts")],
  ["onnxruntime-web/webgpu", fromHere("recorded-webgpu-runtime.ts")],
]);

/** Puts the recorders before the engine and the runtime, in the workers of this page alone. */
const recordRuntime = (): Plugin => ({
  name: "record-runtime",
  enforce: "pre",
  resolveId(source, importer) {
    const recorder = recorders.get(source);
    return recorder && importer !== recorder ? recorder : null;
  },
});

/** The site's configuration for a page that only hands out `createEncoder`. */
export default derivedPage(import.meta.url, "../../../dist/e2e/encoder-page", recordRuntime);
