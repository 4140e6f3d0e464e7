import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tool = (name: string) => join(root, "node_modules", ".bin", name);

/** Lints one file as if it stood at `path` in the project. */
function lint(path: string, source: string): { status: number | null; output: string } {
  const directory = mkdtempSync(join(tmpdir(), "samevec-lint-"));
  copyFileSync(join(root, ".biome.json"), join(directory, ".biome.json"));
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), source);
  const { status, stdout, stderr } = spawnSync(tool("biome"), ["lint", "--vcs-enabled=false", "."], { cwd: directory, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describe("the linter refuses", () => {
  test.each([
    ["shared/ that imports api/", "shared/search/wrong.ts", 'import "../../api/app.ts";', "noRestrictedImports"],
    [
      "shared/ that imports a type of web/",
      "shared/wrong.ts",
      'import type { A } from "../web/a.ts";\nexport type B = A;',
      "noRestrictedImports",
    ],
    ["shared/ that imports Node", "shared/encoder/wrong.ts", 'import "node:fs";', "noRestrictedImports"],
    [
      "shared/ that imports a runtime outside sessions/",
      "shared/encoder/wrong.ts",
      'import "onnxruntime-web/wasm";',
      "noRestrictedImports",
    ],
    ["a session that imports api/", "shared/encoder/sessions/wrong.ts", 'import "../../../api/app.ts";', "noRestrictedImports"],
    [
      "web/ that imports a type of api/",
      "web/page/wrong.ts",
      'import type { A } from "../../api/a.ts";\nexport type B = A;',
      "noRestrictedImports",
    ],
    ["web/ that imports Node", "web/wrong.ts", 'import "node:fs";', "noRestrictedImports"],
    ["api/ that imports web/", "api/wrong.ts", 'import "../web/encoder.ts";', "noRestrictedImports"],
    ["api/ that imports a runtime", "api/wrong.ts", 'import "onnxruntime-node";', "noRestrictedImports"],
    ["a promise that nobody awaits", "api/wrong.ts", "export function f(): void {\n  Promise.resolve(1);\n}", "noFloatingPromises"],
    ["any", "api/wrong.ts", "export const a = (b: any): string => b;", "noExplicitAny"],
  ])("%s", (_, path, source, rule) => {
    const { status, output } = lint(path, source);
    expect(output).toContain(rule);
    expect(status).toBe(1);
  });

  test("nothing of what is right", () => {
    expect(lint("api/right.ts", 'import "../shared/errors.ts";').status).toBe(0);
    expect(lint("shared/encoder/sessions/right.ts", 'import "onnxruntime-web/wasm";').status).toBe(0);
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

describe("the compiler refuses in shared/", () => {
  test.each([
    ["the DOM", "export const title = document.title;", "'document'"],
    ["the worker's scope", "export const scope = self;", "'self'"],
    ["Node's process", "export const cwd = process.cwd();", "'process'"],
    ["Node's Buffer", 'export const bytes = Buffer.from("");', "'Buffer'"],
  ])("%s", (_, source, name) => {
    const { status, output } = check("shared/tsconfig.json", source);
    expect(output).toContain(name);
    expect(status).not.toBe(0);
  });

  test("and takes what all platforms have", () => {
    expect(check("shared/tsconfig.json", "export const wait = (done: () => void) => setTimeout(done, performance.now());")).toEqual({
      status: 0,
      output: "",
    });
  });
});
