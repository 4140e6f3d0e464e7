import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "vite";

/** File names with a content hash. */
const hashed = /-[\w-]{8}\.\w+$/;

/**
 * Builds the service worker after the site.
 * @param source path of the service worker's script
 * @param keeps whether to precache the file with this name
 * @param plugins plugins of the build
 */
export function serviceWorker(source: string, keeps: (name: string) => boolean, plugins: Plugin[]): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    async writeBundle({ dir = "." }, bundle) {
      const kept = Object.keys(bundle).filter(keeps);
      const files = kept.map((url) => ({
        url,
        revision: hashed.test(url)
          ? null
          : createHash("sha256")
              .update(readFileSync(join(dir, url)))
              .digest("hex"),
      }));
      await build({
        configFile: false,
        logLevel: "warn",
        plugins,
        define: { precachedFiles: JSON.stringify(files) },
        build: {
          outDir: dir,
          emptyOutDir: false,
          target: "es2023",
          rolldownOptions: { input: source, output: { format: "iife", entryFileNames: "service-worker.js" } },
        },
      });
    },
  };
}
