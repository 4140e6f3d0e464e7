import { fileURLToPath } from "node:url";
import { mergeConfig, type Plugin } from "vite";
import site from "../../../web/vite.config.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const recordedRuntime = fromHere("recorded-runtime.ts");

/** Puts the recorder before the runtime, in the workers of this page alone. */
const recordRuntime = (): Plugin => ({
  name: "record-runtime",
  enforce: "pre",
  resolveId: (source, importer) => (source === "onnxruntime-web/wasm" && importer !== recordedRuntime ? recordedRuntime : null),
});

// The site's pages are not this one's.
const { rolldownOptions: _, ...build } = site.build ?? {};

/** The site's configuration for a page that only hands out `createEncoder`. */
export default mergeConfig(
  { ...site, build },
  {
    root: fromHere("."),
    build: { outDir: fromHere("../../../dist/e2e/encoder-page") },
    worker: { plugins: () => [recordRuntime()] },
  },
);
