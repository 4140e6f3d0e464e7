import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { bundleWorker, type WorkerBundle } from "./edge-isolate.ts";

const site = fileURLToPath(new URL("../../dist/web", import.meta.url));

describe("what wrangler would deploy", () => {
  let bundle: WorkerBundle;
  beforeAll(async () => {
    bundle = await bundleWorker();
  });

  test("imports nothing but its WebAssembly and the platform", () => {
    const imported = Array.from(bundle.script.matchAll(/^\s*import\b[^;"']*["']([^"']+)["']/gm), ([, name]) => name);
    expect(imported.toSorted()).toEqual([`./${bundle.wasm.name}`, "cloudflare:workers"]);
  });

  test("holds nothing that is of Node alone", () => {
    const foreign =
      /\/(onnxruntime-node|@hono\/node-server|pino|prom-client|@huggingface\/transformers)\/|\/api\/(node|cli)\/|\/encoder\/(pool|pool-worker|onnx-session)\.ts$/;
    expect(bundle.sources.filter((source) => foreign.test(source))).toEqual([]);
    // That the sources are told at all.
    expect(bundle.sources.join("\n")).toContain("api/edge/main.ts");
  });

  test("is small enough: 1 MB gzipped", () => {
    const bytes = gzipSync(bundle.script).byteLength + gzipSync(bundle.wasm.bytes).byteLength;
    expect(bytes).toBeLessThan(1e6);
  });

  test("has no asset above 25 MiB", async () => {
    const entries = await readdir(site, { recursive: true });
    const sizes = await Promise.all(entries.map(async (name) => ({ name, size: (await stat(join(site, name))).size })));
    expect(sizes.filter(({ size }) => size > 25 * 2 ** 20)).toEqual([]);
    expect(entries.map((name) => name.replaceAll("\\", "/"))).toContain("models/bge-small-en-v1.5/weights-1.bin");
  });
});
