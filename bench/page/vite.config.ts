import { fileURLToPath } from "node:url";
import { mergeConfig, type Plugin } from "vite";
import { withoutRawRuntimes } from "../../web/build/runtimes.ts";
import site from "../../web/vite.config.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Has the memory of every runtime recorded, whoever brings it. */
const recordMemory = (): Plugin => ({
  name: "record-memory",
  transform: {
    filter: { id: /onnxruntime-web\/dist\/.*\.mjs$/ },
    handler: (code) => `import ${JSON.stringify(fromHere("recorded-memory.ts"))};\n${code}`,
  },
});

// The site's pages are not this one's.
const { rolldownOptions: _, ...build } = site.build ?? {};

/** The site's configuration for a page that embeds in the ways that are compared. */
export default mergeConfig(
  { ...site, build },
  {
    root: fromHere("."),
    build: { outDir: fromHere("../../dist/bench/page") },
    worker: { plugins: () => [recordMemory(), withoutRawRuntimes()] },
  },
);
