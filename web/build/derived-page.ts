import { fileURLToPath } from "node:url";
import { mergeConfig, type Plugin } from "vite";
import site from "../vite.config.ts";
import { withoutRawRuntimes } from "./webgpu-runtime.ts";

/**
 * The site's configuration for a page of another folder, which a test or a benchmark opens.
 * @param page the configuration's own URL
 * @param output where the page is built, relative to it
 * @param inWorkers what records the page's workers
 */
export function derivedPage(page: string, output: string, inWorkers?: () => Plugin) {
  const fromHere = (path: string) => fileURLToPath(new URL(path, page));
  // The site's pages are not this one's.
  const { rolldownOptions: _, ...build } = site.build ?? {};
  return mergeConfig(
    { ...site, build },
    {
      root: fromHere("."),
      build: { outDir: fromHere(output) },
      worker: { plugins: () => [inWorkers?.(), withoutRawRuntimes()] },
    },
  );
}
