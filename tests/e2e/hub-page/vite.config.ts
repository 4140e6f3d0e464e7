import { fileURLToPath } from "node:url";
import { defineConfig, normalizePath } from "vite";
import { viteStaticCopy } from "vite-plugin-static-copy";
import { packWebgpuRuntime, withoutRawRuntimes } from "../../../web/build/webgpu-runtime.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const webgpuRuntime = packWebgpuRuntime(fromHere("../../../dist/runtimes"));

/** A page that only opens models of the hub. */
export default defineConfig({
  root: fromHere("."),
  base: "./",
  build: { outDir: fromHere("../../../dist/e2e/hub-page"), emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 1000 },
  define: { packedWebgpuRuntime: JSON.stringify(webgpuRuntime) },
  worker: { format: "es", plugins: () => [withoutRawRuntimes()] },
  plugins: [viteStaticCopy({ targets: [{ src: normalizePath(fromHere("../../../dist/runtimes/webgpu.bin")), dest: "runtimes" }] })],
});
