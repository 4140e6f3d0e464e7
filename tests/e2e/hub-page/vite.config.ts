import { fileURLToPath } from "node:url";
import { defineConfig, normalizePath } from "vite";
import { viteStaticCopy } from "vite-plugin-static-copy";
import { packRuntimes, withoutRawRuntimes } from "../../../web/build/runtimes.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

packRuntimes(fromHere("../../../dist/runtimes"));

/** A page that only opens models of the hub. */
export default defineConfig({
  root: fromHere("."),
  base: "./",
  build: { outDir: fromHere("../../../dist/e2e/hub-page"), emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 1000 },
  worker: { format: "es", plugins: () => [withoutRawRuntimes()] },
  plugins: [viteStaticCopy({ targets: [{ src: normalizePath(fromHere("../../../dist/runtimes/webgpu.bin")), dest: "runtimes" }] })],
});
