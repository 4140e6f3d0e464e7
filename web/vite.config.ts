import { fileURLToPath } from "node:url";
import { defineConfig, normalizePath } from "vite";
import { viteStaticCopy } from "vite-plugin-static-copy";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: fromHere("."),
  // Relative, so that the site works under any path of any static host.
  base: "./",
  build: {
    outDir: fromHere("../dist/web"),
    emptyOutDir: true,
    target: "es2023",
    // A browser that knows ES2023 knows modulepreload.
    modulePreload: { polyfill: false },
    // Swagger UI's, which only `/docs` loads.
    chunkSizeWarningLimit: 1600,
    rolldownOptions: { input: [fromHere("index.html"), fromHere("docs/index.html")] },
  },
  worker: { format: "es" },
  // The dev server would otherwise move the runtime's script away from where its parts are.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  plugins: [viteStaticCopy({ targets: [{ src: normalizePath(fromHere("../models/bge-small-en-v1.5")), dest: "models" }] })],
});
