import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "playwright/test";
import { version as viteVersion } from "vite";
import { ServerProcess } from "../contract/server-process.ts";
import { AssetServer } from "./asset-server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A project that has the package as anybody would get it, and Vite. */
let project: string;
let server: AssetServer | undefined;

/** Runs a program in the project; rejects, with what it wrote, where it fails. */
const run = async (command: string, ...args: string[]) => (await promisify(execFile)(command, args, { cwd: project })).stdout;

test.beforeAll(async () => {
  // The runtimes' packages have binaries for every platform, more than 150 MB to download.
  test.setTimeout(600_000);
  project = await mkdtemp(join(tmpdir(), "samevec-package-"));
  const [{ filename }] = JSON.parse(await run("npm", "pack", root, "--json", "--ignore-scripts")) as [{ filename: string }];
  await writeFile(join(project, "package.json"), '{"private": true, "type": "module"}');
  await run("npm", "install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", `./${filename}`, `vite@${viteVersion}`);
});
test.afterEach(() => server?.stop());
test.afterAll(() => rm(project, { recursive: true }));

test("the guide's 15-line page searches when built by Vite without configuration", async ({ page }) => {
  const guide = await readFile(join(root, "docs/guide.md"), "utf8");
  const [, example = ""] = /```html\n(<!doctype html>\n[^`]*"samevec"[^`]*)\n```/.exec(guide) ?? [];
  expect(example.split("\n")).toHaveLength(15);
  await writeFile(join(project, "index.html"), example);
  await run("npx", "samevec", "assets", "public/samevec");
  await run("npx", "vite", "build");
  server = await AssetServer.start(join(project, "dist"));
  const { url } = server;
  const urls: string[] = [];
  page.on("request", (request) => urls.push(request.url()));

  await page.goto(url);
  await page.getByRole("searchbox").fill("why the sea comes and goes");
  await page.getByRole("searchbox").press("Enter");
  await expect(page.locator("pre")).toHaveText(/^How tides work\n/, { timeout: 60_000 });
  expect(urls.filter((asked) => !asked.startsWith(url))).toEqual([]);
});

test("the package's import is the Node encoder in Node, on either device", async () => {
  const script = `
    import { createEncoder } from "samevec";
    for (const device of ["native", "wasm"]) {
      const encoder = createEncoder({ workers: 1, device });
      const { vectors } = await encoder.embed("how tides work");
      process.stdout.write(\`\${encoder.info().device} \${vectors[0].length} \`);
      await encoder.dispose();
    }`;
  await writeFile(join(project, "embed.js"), script);
  expect(await run("node", "embed.js")).toBe("native 384 wasm 384 ");
});

test("the installed package serves the search page with its model and runtimes", async ({ request }) => {
  const service = await ServerProcess.start({ WORKERS: "1" }, [], join(project, "node_modules/samevec"));
  for (const path of ["", "models/bge-small-en-v1.5/manifest.json", "models/bge-small-en-v1.5/weights-0.bin", "runtimes/webgpu.bin"]) {
    const response = await request.get(`${service.url}/${path}`);
    expect(response.status(), path).toBe(200);
  }
  await service.stop();
});

test("the package's types give each platform its own options", async () => {
  await mkdir(join(project, "types"));
  const compile = async (name: string, options: string, ...settings: string[]) => {
    const file = join("types", `${name}.ts`);
    await writeFile(join(project, file), `import { createEncoder } from "samevec";\ncreateEncoder(${options});\n`);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    return run("node", tsc, "--noEmit", "--strict", "--ignoreConfig", "--target", "es2023", ...settings, file).then(
      () => "accepted",
      ({ stdout }: { stdout: string }) => stdout,
    );
  };
  const forPages = ["--module", "esnext", "--moduleResolution", "bundler"];
  // The declarations of a dependency are not written for Node's resolution.
  const forNode = ["--module", "nodenext", "--skipLibCheck"];
  expect(await compile("page", '{ assetsUrl: "/samevec/", device: "wasm" }', ...forPages)).toBe("accepted");
  expect(await compile("node", '{ model: { directory: "models" } }', ...forNode)).toBe("accepted");
  expect(await compile("page-on-node", '{ assetsUrl: "/samevec/" }', ...forNode)).toContain("'assetsUrl' does not exist");
});
