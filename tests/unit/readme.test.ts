import { readFileSync } from "node:fs";
import { access, readdir, readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vite";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(resolve(root, "README.md"), "utf8");
const pages = (await readdir(resolve(root, "docs"), { recursive: true }))
  .filter((file) => file.endsWith(".md"))
  .map((file) => `docs/${file}`)
  .sort();

/** Inline links and images, and the `src` and `href` of HTML; without those in code. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\(([^)\s]+)[^)]*\)|\b(?:src|href)="([^"]+)"/g)].map(([, inline, html]) => inline ?? html ?? "");
}

/** Relative links, without the fragment. */
const relativeLinksOf = (markdown: string) =>
  linksOf(markdown)
    .filter((link) => !/^(?:[a-z]+:|\/|#)/i.test(link))
    .map((link) => link.replace(/#.*$/, ""));

/** Links with a fragment, to this page or another. */
const fragmentLinksOf = (markdown: string) => linksOf(markdown).filter((link) => /^[^:]*\.md#|^#/.test(link));

/** The fragments of a page's headings, as GitHub and VitePress make them from words and spaces. */
const fragmentsOf = (markdown: string) =>
  [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe("README.md", () => {
  test("README.md has at most 700 words, including code and tables", () => {
    expect(readme.split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(700);
  });

  test("README.md has JavaScript examples that parse as modules", () => {
    const examples = [...readme.matchAll(/^```(?:js|ts)\n([\s\S]*?)^```/gm)].map(([, code = ""]) => code);
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const code of examples) expect(() => parseAst(code, { lang: "ts" }), code).not.toThrow();
  });
});

describe("the documentation", () => {
  test.each(["README.md", ...pages])("%s links only to files that exist", async (page) => {
    const links = relativeLinksOf(await readFile(resolve(root, page), "utf8"));
    const missing = [];
    for (const link of links) if (!(await exists(resolve(root, dirname(page), link)))) missing.push(link);
    expect(missing).toEqual([]);
  });

  test.each(["README.md", ...pages])("%s links only to headings that exist", async (page) => {
    const markdown = await readFile(resolve(root, page), "utf8");
    for (const link of fragmentLinksOf(markdown)) {
      const [target = "", fragment] = link.split("#");
      const linked = target === "" ? markdown : await readFile(resolve(root, dirname(page), target), "utf8");
      expect(fragmentsOf(linked), link).toContain(fragment);
    }
  });

  test.each(pages)("%s links to no file outside docs", async (page) => {
    const targets = relativeLinksOf(await readFile(resolve(root, page), "utf8")).map((link) =>
      relative(root, resolve(root, dirname(page), link)),
    );
    expect(targets.filter((target) => !target.startsWith("docs/"))).toEqual([]);
  });

  test("every documentation page except the site's home page is reachable from README.md", async () => {
    const reached = new Set<string>();
    const follow = async (page: string): Promise<void> => {
      if (reached.has(page)) return;
      reached.add(page);
      for (const link of relativeLinksOf(await readFile(resolve(root, page), "utf8"))) {
        const target = relative(root, resolve(root, dirname(page), link));
        if (target.endsWith(".md") && (await exists(resolve(root, target)))) await follow(target);
      }
    };
    await follow("README.md");
    expect(pages.filter((page) => page !== "docs/index.md" && !reached.has(page))).toEqual([]);
  });
});
