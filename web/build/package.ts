import { build, type Plugin } from "vite";

/** The page's scripts as other people's bundlers find them, by entry: what is imported, and the worker that it starts. */
const scripts = { samevec: "encoder.ts", "encoder-worker": "encoder-worker.ts" };

/**
 * Builds, after the site, the scripts of the npm package for pages. Each is whole in itself: a bundler takes a worker that
 * comes in parts only when told so.
 * @param sources folder of the scripts
 * @param outDir where they are built to
 * @param define what is put into them
 * @param plugins those of the site's workers
 */
export function packageScripts(sources: string, outDir: string, define: Record<string, string>, plugins: () => Plugin[]): Plugin {
  return {
    name: "package-scripts",
    apply: "build",
    async writeBundle() {
      for (const [name, source] of Object.entries(scripts)) {
        await build({
          configFile: false,
          logLevel: "warn",
          define,
          plugins: [workerByItsName(), ...plugins()],
          build: {
            outDir,
            emptyOutDir: false,
            target: "es2023",
            lib: { entry: { [name]: `${sources}/${source}` }, formats: ["es"] },
            rolldownOptions: { output: { codeSplitting: false } },
          },
        });
      }
    },
  };
}

/** Leaves the worker to the bundler of the page, which looks for `new Worker(new URL("…", import.meta.url))`. */
function workerByItsName(): Plugin {
  return {
    name: "worker-by-its-name",
    enforce: "pre",
    transform: {
      filter: { id: /pools\.ts$/ },
      handler: (code) => code.replace('new URL("./encoder-worker.ts"', 'new URL(/* @vite-ignore */ "./encoder-worker.js"'),
    },
    // What is not meant for the page's bundler.
    renderChunk: (code) => code.replace(/\/\* @vite-ignore \*\/\s*/g, ""),
  };
}
