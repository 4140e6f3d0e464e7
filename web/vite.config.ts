import { fileURLToPath } from "node:url";
import { defineConfig, normalizePath } from "vite";
import { viteStaticCopy } from "vite-plugin-static-copy";
import { headersFile } from "./build/headers-file.ts";
import { packageScripts } from "./build/package.ts";
import { serviceWorker } from "./build/service-worker.ts";
import { sizeReport } from "./build/size-report.ts";
import { ThirdPartyNotices } from "./build/third-party-notices.ts";
import { packWebgpuRuntime, withoutRawRuntimes } from "./build/webgpu-runtime.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const model = fromHere("../models/bge-small-en-v1.5");
const webgpuRuntime = packWebgpuRuntime(fromHere("../dist/runtimes"));

const define = { packedWebgpuRuntime: JSON.stringify(webgpuRuntime) };
const notices = new ThirdPartyNotices();
const workerPlugins = () => [withoutRawRuntimes(), notices.collect()];

/** What computes on WebGPU: fetched when that pays, and not kept, since the engine computes offline. */
const isOfWebgpu = (name: string) => /^assets\/(ort\.|webgpu-)/.test(name);

/** All but what is only of `/docs`, of WebGPU, or of models of the hub, which the search page does not use. */
const isOfSearchPage = (name: string) => !/^(docs\/|assets\/(docs|hub)-)/.test(name) && !isOfWebgpu(name);

/** What reads files: fetched when the first file of a kind is read, and kept for the next visit as all of the search page is. */
const isOfReading = (name: string) => name.startsWith("assets/reading-");

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
    rolldownOptions: { input: { index: fromHere("index.html"), docs: fromHere("docs/index.html") } },
  },
  define,
  worker: {
    format: "es",
    plugins: workerPlugins,
    rolldownOptions: {
      output: {
        chunkFileNames: ({ facadeModuleId }) =>
          facadeModuleId?.includes("/shared/reading/") ? "assets/reading-[name]-[hash].js" : "assets/[name]-[hash].js",
      },
    },
  },
  // The dev server would otherwise move the runtime's script away from where its parts are.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  plugins: [
    ...workerPlugins(),
    sizeReport(model, webgpuRuntime, {
      ofFirstVisit: (name) => isOfSearchPage(name) && !isOfReading(name),
      ofWebgpu: isOfWebgpu,
      ofReading: isOfReading,
    }),
    packageScripts(fromHere("."), fromHere("../dist/package"), define, workerPlugins),
    headersFile(),
    serviceWorker(fromHere("search/service-worker.ts"), isOfSearchPage, [notices.collect()]),
    notices.write([fromHere("../dist/web"), fromHere("../dist/package")]),
    viteStaticCopy({
      targets: [
        // cpu.onnx is native Node's alone.
        { src: `${normalizePath(model)}/!(cpu.onnx)`, dest: "models/bge-small-en-v1.5" },
        { src: normalizePath(fromHere(`../dist/runtimes/${webgpuRuntime.file}`)), dest: "runtimes" },
      ],
    }),
  ],
});
