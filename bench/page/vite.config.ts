import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { derivedPage } from "../../web/build/derived-page.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Has the memory of every runtime recorded, whoever brings it. */
const recordMemory = (): Plugin => ({
  name: "record-memory",
  transform: {
    filter: { id: /onnxruntime-web\/dist\/.*\.mjs$/ },
    handler: (code) => `import ${JSON.stringify(fromHere("recorded-memory.ts"))};\n${code}`,
  },
});

/** The site's configuration for a page that embeds in the ways that are compared. */
export default derivedPage(import.meta.url, "../../dist/bench/page", recordMemory);
