import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const decisions = fileURLToPath(new URL("../decisions", import.meta.url));

/** The page's first heading, without its number. */
function titleOf(markdown: string): string {
  return /^# (?:\d+\. )?(.+)$/m.exec(markdown)?.[1] ?? "";
}

export default defineConfig({
  title: "Samevec",
  description: "One text, one vector, everywhere: a shared text encoder for the browser, Node.js and the edge.",
  cacheDir: "../node_modules/.cache/vitepress",
  outDir: "../dist/docs",
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Guide", link: "/guide" },
      { text: "API", link: "/api" },
      { text: "Benchmarks", link: "/benchmarks" },
    ],
    sidebar: [
      {
        text: "Use",
        items: [
          { text: "Guide", link: "/guide" },
          { text: "HTTP API", link: "/api" },
          { text: "Configuration", link: "/configuration" },
          { text: "Operations", link: "/operations" },
        ],
      },
      {
        text: "Reference",
        items: [
          { text: "Architecture", link: "/architecture" },
          { text: "Benchmarks", link: "/benchmarks" },
          { text: "Index file format", link: "/index-file" },
          { text: "Versions", link: "/versions" },
        ],
      },
      {
        text: "Decisions",
        collapsed: true,
        items: readdirSync(decisions)
          .filter((file) => file.endsWith(".md"))
          .sort()
          .map((file) => ({
            text: titleOf(readFileSync(`${decisions}/${file}`, "utf8")),
            link: `/decisions/${file.replace(/\.md$/, "")}`,
          })),
      },
    ],
  },
});
