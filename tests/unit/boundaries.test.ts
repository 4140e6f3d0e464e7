import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tool = (name: string) => join(root, "node_modules", ".bin", name);

/** Lints one file as if it stood at `path` in the project. */
const lint = (path: string, source: string) => lintAll({ [path]: source });

/** Lints files, each at its path in the project. */
function lintAll(files: Readonly<Record<string, string>>): { status: number | null; output: string } {
  const directory = mkdtempSync(join(tmpdir(), "samevec-lint-"));
  copyFileSync(join(root, ".biome.json"), join(directory, ".biome.json"));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), source);
  }
  const { status, stdout, stderr } = spawnSync(tool("biome"), ["lint", "--vcs-enabled=false", "."], { cwd: directory, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describe("import boundaries in the linter", () => {
  test.each([
    ["shared/ that imports api/", "shared/search/wrong.ts", 'import "../../api/app.ts";', "noRestrictedImports"],
    [
      "shared/ that imports a type of web/",
      "shared/wrong.ts",
      'import type { A } from "../web/a.ts";\nexport type B = A;',
      "noRestrictedImports",
    ],
    ["shared/ that imports Node", "shared/encoder/wrong.ts", 'import "node:fs";', "noRestrictedImports"],
    ["shared/ that imports a runtime", "shared/encoder/wrong.ts", 'import "onnxruntime-web/wasm";', "noRestrictedImports"],
    ["a route that imports Node", "api/routes/wrong.ts", 'import "node:fs";', "noRestrictedImports"],
    ["a route that imports a platform", "api/routes/wrong.ts", 'import "../node/server.ts";', "noRestrictedImports"],
    ["an isolate that imports api/node/", "api/edge/wrong.ts", 'import "../node/server.ts";', "noRestrictedImports"],
    ["the page that imports a runtime", "web/page/wrong.ts", 'import "onnxruntime-web/webgpu";', "noRestrictedImports"],
    [
      "web/ that imports a type of api/",
      "web/page/wrong.ts",
      'import type { A } from "../../api/a.ts";\nexport type B = A;',
      "noRestrictedImports",
    ],
    ["web/ that imports Node", "web/wrong.ts", 'import "node:fs";', "noRestrictedImports"],
    ["api/node/ that imports web/", "api/node/wrong.ts", 'import "../../web/encoder/encoder.ts";', "noRestrictedImports"],
    ["api/ that imports a runtime", "api/wrong.ts", 'import "onnxruntime-node";', "noRestrictedImports"],
    ["the engine that imports a runtime", "shared/engine/wrong.ts", 'import "onnxruntime-web/wasm";', "noRestrictedImports"],
    ["the engine that imports web/", "shared/engine/wrong.ts", 'import "../../web/a.ts";', "noRestrictedImports"],
    ["a promise that is not awaited", "api/wrong.ts", "export function f(): void {\n  Promise.resolve(1);\n}", "noFloatingPromises"],
    ["the type any", "api/wrong.ts", "export const a = (b: any): string => b;", "noExplicitAny"],
  ])("the linter rejects %s", (_, path, source, rule) => {
    const { status, output } = lint(path, source);
    expect(output).toContain(rule);
    expect(status).toBe(1);
  });

  test("the linter rejects an import cycle", () => {
    const cycle = { "shared/a.ts": 'import "./b.ts";', "shared/b.ts": 'import "./a.ts";' };
    const { status, output } = lintAll(cycle);
    expect(output).toContain("noImportCycles");
    expect(status).toBe(1);
  });

  test("the linter accepts allowed imports", () => {
    expect(lint("api/right.ts", 'import "../shared/errors.ts";').status).toBe(0);
    expect(lint("api/node/right.ts", 'import "onnxruntime-node";').status).toBe(0);
    expect(lint("web/encoder/right.ts", 'import "onnxruntime-web/webgpu";').status).toBe(0);
  });
});

/** Type-checks one file as a part of a project. */
function check(project: string, source: string): { status: number | null; output: string } {
  const directory = mkdtempSync(join(tmpdir(), "samevec-types-"));
  writeFileSync(join(directory, "added.ts"), source);
  const config = {
    extends: join(root, project),
    compilerOptions: {
      composite: false,
      incremental: false,
      noEmit: true,
      rootDir: "/",
      tsBuildInfoFile: null,
      typeRoots: [join(root, "node_modules/@types")],
    },
    include: [join(root, "shared/platform.d.ts"), join(directory, "added.ts")],
    exclude: [],
    references: [],
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
  const { status, stdout } = spawnSync(tool("tsc"), ["-p", directory], { encoding: "utf8" });
  return { status, output: stdout };
}

describe("platform globals in shared/", () => {
  test.each([
    ["the DOM", "export const title = document.title;", "'document'"],
    ["the worker's scope", "export const scope = self;", "'self'"],
    ["Node's process", "export const cwd = process.cwd();", "'process'"],
    ["Node's Buffer", 'export const bytes = Buffer.from("");', "'Buffer'"],
  ])("the compiler rejects %s in shared/", (_, source, name) => {
    const { status, output } = check("shared/tsconfig.json", source);
    expect(output).toContain(name);
    expect(status).not.toBe(0);
  });

  test("the compiler accepts globals of all platforms in shared/", () => {
    expect(check("shared/tsconfig.json", "export const wait = (done: () => void) => setTimeout(done, performance.now());")).toEqual({
      status: 0,
      output: "",
    });
  });
});

/** What the files of a folder import from this project, paths from its root. */
function importsOf(folder: string): { from: string; to: string }[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|tsx|mts|mjs)$/.test(name));
  return files.flatMap((name) => {
    const file = join(root, folder, name);
    const specifiers = readFileSync(file, "utf8").matchAll(/(?:from|import\(?|new URL\()\s*["'](\.[^"']*)["']/g);
    return Array.from(specifiers, ([, specifier = ""]) => ({
      from: relative(root, file),
      to: relative(root, resolve(dirname(file), specifier)),
    }));
  });
}

describe("the engine", () => {
  const engine = "shared/engine/";

  test("the engine imports only its own files and the errors", () => {
    const imports = importsOf(engine);
    expect(imports).toContainEqual({ from: `${engine}engine.ts`, to: `${engine}weights.ts` });
    expect(imports.filter(({ to }) => !to.startsWith(engine) && to !== "shared/errors.ts")).toEqual([]);
  });

  test("the engine is compiled only from its own AssemblyScript, which nothing else imports", () => {
    const assembly = `${engine}assembly/`;
    const inside = importsOf(assembly);
    expect(inside).toContainEqual({ from: `${assembly}index.ts`, to: `${assembly}run` });
    expect(inside.filter(({ to }) => !to.startsWith(assembly))).toEqual([]);
    const outside = ["shared", "api", "web", "bench"].flatMap(importsOf).filter(({ from }) => !from.startsWith(assembly));
    // The build reads it as a folder.
    expect(outside.filter(({ to }) => to.startsWith(assembly))).toEqual([]);
  });

  test("the engine is imported only through its builds, loader, model and weights", () => {
    const outside = ["shared", "api", "web", "bench"].flatMap(importsOf).filter(({ from }) => !from.startsWith(engine));
    const known = new Set(outside.flatMap(({ to }) => (to.startsWith(engine) ? [to.slice(engine.length)] : [])));
    expect(["builds.ts", "engine.ts", "model.ts", "weights.ts"]).toEqual(expect.arrayContaining([...known]));
    expect(known).toContain("engine.ts");
  });
});
