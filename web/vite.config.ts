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

/** Scripts for WebGPU. They are fetched on demand and not precached: offline, the engine computes. */
const isWebgpuFile = (name: string) => /^assets\/(ort\.|webgpu-)/.test(name);

/** All files except those of `/docs`, WebGPU and hub models. */
const isSearchPageFile = (name: string) => !/^(docs\/|assets\/(docs|hub)-)/.test(name) && !isWebgpuFile(name);

/** File readers. They are fetched on demand, and precached with the search page. */
const isReaderFile = (name: string) => name.startsWith("assets/reading-");

export default defineConfig({
  root: fromHere("."),
  // Relative: the site works under any path.
  base: "./",
  build: {
    outDir: fromHere("../dist/web"),
    emptyOutDir: true,
    target: "es2023",
    // Browsers with ES2023 support modulepreload.
    modulePreload: { polyfill: false },
    // Swagger UI exceeds the default. Only `/docs` loads it.
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
  // Prebundling would move the runtime's script away from the files that it loads.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  plugins: [
    ...workerPlugins(),
    sizeReport(model, webgpuRuntime, {
      onFirstVisit: (name) => isSearchPageFile(name) && !isReaderFile(name),
      forWebgpu: isWebgpuFile,
      forReading: isReaderFile,
    }),
    packageScripts(fromHere("."), fromHere("../dist/package"), define, workerPlugins),
    headersFile(),
    serviceWorker(fromHere("search/service-worker.ts"), isSearchPageFile, [notices.collect()]),
    notices.write([fromHere("../dist/web"), fromHere("../dist/package")]),
    viteStaticCopy({
      targets: [
        // cpu.onnx is used only by native ONNX Runtime in Node.js.
        { src: `${normalizePath(model)}/!(cpu.onnx)`, dest: "models/bge-small-en-v1.5" },
        { src: normalizePath(fromHere(`../dist/runtimes/${webgpuRuntime.file}`)), dest: "runtimes" },
      ],
    }),
  ],
});
