import { build, type Plugin } from "vite";

/** Scripts of the npm package by entry name: the imported script and its workers. */
const scripts = { samevec: "encoder/encoder.ts", "encoder-worker": "encoder/encoder-worker.ts", "hub-worker": "encoder/hub-worker.ts" };

/** The imported script is split into chunks: the chunks for hub models are loaded only with a hub model. */
const chunked = { chunkFileNames: "[name].js" };

/**
 * Builds the browser scripts of the npm package, after the site. Each worker is a single file: bundlers need extra configuration for
 * workers with chunks.
 * @param sources source folder
 * @param outDir output folder
 * @param define constants, as Vite's `define`
 * @param plugins creates the plugins of a worker build
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
          plugins: [literalWorkerUrls(), ...plugins()],
          build: {
            outDir,
            emptyOutDir: false,
            target: "es2023",
            lib: { entry: { [name]: `${sources}/${source}` }, formats: ["es"] },
            rolldownOptions: { output: name === "samevec" ? chunked : { codeSplitting: false } },
          },
        });
      }
    },
  };
}

/** Keeps `new Worker(new URL("…", import.meta.url))` in the output, for the bundler of the page. */
function literalWorkerUrls(): Plugin {
  return {
    name: "literal-worker-urls",
    enforce: "pre",
    transform: {
      filter: { id: /-pool\.ts$/ },
      handler: (code) => code.replace(/new URL\("\.\/([\w-]+-worker)\.ts"/g, 'new URL(/* @vite-ignore */ "./$1.js"'),
    },
    // The comment is for this build only, not for the page's bundler.
    renderChunk: (code) => code.replace(/\/\* @vite-ignore \*\/\s*/g, ""),
  };
}
