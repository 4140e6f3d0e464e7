import { build, type Plugin } from "vite";

/** The page's scripts as other people's bundlers find them, by entry: what is imported, and the workers that it starts. */
const scripts = { samevec: "encoder/encoder.ts", "encoder-worker": "encoder/encoder-worker.ts", "hub-worker": "encoder/hub-worker.ts" };

/** What is imported comes in parts: those for models of the hub are loaded only where there is one. */
const inParts = { chunkFileNames: "[name].js" };

/**
 * Builds, after the site, the scripts of the npm package for pages. Each worker is whole in itself: a bundler takes one that
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
          plugins: [workersByTheirNames(), ...plugins()],
          build: {
            outDir,
            emptyOutDir: false,
            target: "es2023",
            lib: { entry: { [name]: `${sources}/${source}` }, formats: ["es"] },
            rolldownOptions: { output: name === "samevec" ? inParts : { codeSplitting: false } },
          },
        });
      }
    },
  };
}

/** Leaves the workers to the bundler of the page, which looks for `new Worker(new URL("…", import.meta.url))`. */
function workersByTheirNames(): Plugin {
  return {
    name: "workers-by-their-names",
    enforce: "pre",
    transform: {
      filter: { id: /-pool\.ts$/ },
      handler: (code) => code.replace(/new URL\("\.\/([\w-]+-worker)\.ts"/g, 'new URL(/* @vite-ignore */ "./$1.js"'),
    },
    // What is not meant for the page's bundler.
    renderChunk: (code) => code.replace(/\/\* @vite-ignore \*\/\s*/g, ""),
  };
}
