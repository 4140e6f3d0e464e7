import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { scriptPolicy } from "../../shared/content-security-policy.ts";

/** Writes `_headers`, which makes Cloudflare, Netlify and other static hosts send the policy with scripts. */
export function headersFile(): Plugin {
  return {
    name: "headers-file",
    apply: "build",
    writeBundle({ dir = "." }) {
      const rules = ["/assets/*", "/service-worker.js"].map((path) => `${path}\n  Content-Security-Policy: ${scriptPolicy}\n`);
      writeFileSync(join(dir, "_headers"), rules.join("\n"));
    },
  };
}
