import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { bundleWorker, type WorkerBundle } from "./edge-isolate.ts";

const site = fileURLToPath(new URL("../../dist/web", import.meta.url));

describe("the Worker bundle", () => {
  let bundle: WorkerBundle;
  beforeAll(async () => {
    bundle = await bundleWorker();
  });

  test("the Worker bundle imports only its WebAssembly module and the platform", () => {
    const imported = Array.from(bundle.script.matchAll(/^\s*import\b[^;"']*["']([^"']+)["']/gm), ([, name]) => name);
    expect(imported.toSorted()).toEqual([`./${bundle.wasm.name}`, "cloudflare:workers"]);
  });

  test("the Worker bundle contains no Node-only modules", () => {
    const foreign =
      /\/(onnxruntime-node|@hono\/node-server|pino|prom-client|@huggingface\/transformers)\/|\/api\/(node|cli)\/|\/encoder\/(pool|pool-worker|onnx-session)\.ts$/;
    expect(bundle.sources.filter((source) => foreign.test(source))).toEqual([]);
    // That the sources are told at all.
    expect(bundle.sources.join("\n")).toContain("api/edge/main.ts");
  });

  test("the Worker bundle is smaller than 1 MB gzipped", () => {
    const bytes = gzipSync(bundle.script).byteLength + gzipSync(bundle.wasm.bytes).byteLength;
    expect(bytes).toBeLessThan(1e6);
  });

  test("the Worker has no asset above 25 MiB", async () => {
    const entries = await readdir(site, { recursive: true });
    const sizes = await Promise.all(entries.map(async (name) => ({ name, size: (await stat(join(site, name))).size })));
    expect(sizes.filter(({ size }) => size > 25 * 2 ** 20)).toEqual([]);
    expect(entries.map((name) => name.replaceAll("\\", "/"))).toContain("models/bge-small-en-v1.5/weights-1.bin");
  });
});
