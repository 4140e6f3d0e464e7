import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "vite";

/** Names that the bundler has given a hash: their content never changes. */
const hashed = /-[\w-]{8}\.\w+$/;

/**
 * Builds the service worker after the site, told all files of the site.
 * @param source path of its script
 */
export function serviceWorker(source: string): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    async writeBundle({ dir = "." }, bundle) {
      const files = Object.keys(bundle).map((url) => ({
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
