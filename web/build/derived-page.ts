import { fileURLToPath } from "node:url";
import { mergeConfig, type Plugin } from "vite";
import site from "../vite.config.ts";
import { sizeReportName } from "./size-report.ts";
import { withoutRawRuntimes } from "./webgpu-runtime.ts";

/**
 * Derives the configuration of a test or benchmark page from that of the site.
 * @param page URL of the page's configuration file
 * @param output output folder, relative to `page`
 * @param inWorkers creates a plugin for the page's workers
 */
export function derivedPage(page: string, output: string, inWorkers?: () => Plugin) {
  const fromHere = (path: string) => fileURLToPath(new URL(path, page));
  // Without the site's entry pages.
  const { rolldownOptions: _, ...build } = site.build ?? {};
  // A test page may be larger than the site.
  const plugins = site.plugins?.filter((plugin) => !(plugin && "name" in plugin && plugin.name === sizeReportName));
  return mergeConfig(
    { ...site, build, plugins },
    {
      root: fromHere("."),
      build: { outDir: fromHere(output) },
      worker: { plugins: () => [inWorkers?.(), withoutRawRuntimes()] },
    },
  );
}
