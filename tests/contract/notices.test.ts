import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const inSite = await readFile(new URL("dist/web/third-party-notices.txt", root), "utf8");
const rule = "-".repeat(80);

/** The licence's text, by `name version`. */
const notices = new Map(
  inSite
    .split(`${rule}\n`)
    .slice(1)
    .flatMap((part, i, parts) => (i % 2 === 0 ? [[part.replace(/ \([^)]*\)\n$/, ""), parts[i + 1] ?? ""] as const] : [])),
);
const names = [...notices.keys()].map((key) => key.slice(0, key.lastIndexOf(" ")));

/** Packages that the sources in a folder import, without imports of types alone. */
async function importedPackages(folder: string): Promise<string[]> {
  const files = await readdir(new URL(folder, root), { recursive: true, withFileTypes: true });
  const sources = files.filter(({ name }) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  const packages = await Promise.all(
    sources.map(async ({ parentPath, name }) => {
      const code = await readFile(`${parentPath}/${name}`, "utf8");
      const specifiers = [
        ...code.matchAll(/^(?:import|export) (?!type )(?:[^;]* from )?"([^".][^"]*)"/gm),
        ...code.matchAll(/import\("([^".][^"]*)"\)/g),
      ];
      return specifiers.flatMap(([, specifier = ""]) => /^(?:@[\w-]+\/)?[\w-]+/.exec(specifier)?.[0] ?? []);
    }),
  );
  return [...new Set(packages.flat())];
}

test("the notices name every package the page's sources import, and the packages bundled in those", async () => {
  const folders = ["shared", "web/docs", "web/encoder", "web/page", "web/search"];
  const imported = (await Promise.all(folders.map(importedPackages))).flat();
  expect(imported).toEqual(expect.arrayContaining(["comlink", "fflate", "pdfjs-dist", "onnxruntime-web", "@huggingface/transformers"]));
  expect(imported.filter((name) => !names.includes(name))).toEqual([]);
  expect(names).toEqual(
    expect.arrayContaining([
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "assemblyscript",
      "entities",
      "onnxruntime-common",
      "workbox-core",
    ]),
  );
});

test("the notices contain the licence text of each package", () => {
  expect(notices.size).toBeGreaterThan(20);
  const text =
    /Permission is hereby granted|Permission to use, copy, modify|Apache License\s+Version 2\.0|Redistribution and use in source/;
  for (const [name, licence] of notices) expect(licence, name).toMatch(text);
});

test("all bundles use one version of ONNX Runtime Web, that of the WebAssembly files beside them", async () => {
  const manifest = JSON.parse(await readFile(new URL("node_modules/onnxruntime-web/package.json", root), "utf8"));
  expect([...notices.keys()].filter((name) => name.startsWith("onnxruntime-web "))).toEqual([`onnxruntime-web ${manifest.version}`]);
});

test("the npm package contains the same notices, and the page links to them", async () => {
  expect(await readFile(new URL("dist/package/third-party-notices.txt", root), "utf8")).toBe(inSite);
  const { files } = JSON.parse(await readFile(fileURLToPath(new URL("package.json", root)), "utf8"));
  expect(files).toEqual(expect.arrayContaining(["dist/package", "dist/web"]));
  expect(await readFile(new URL("dist/web/index.html", root), "utf8")).toContain('href="./third-party-notices.txt"');
});
