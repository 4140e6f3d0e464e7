import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "playwright/test";
import type { Manifest } from "../../shared/encoder/manifest.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { cosineSimilarity } from "../../shared/vector.ts";
import { goldenRows, shortTexts } from "../golden.ts";

const modelFile = (name: string) => readFile(new URL(`../../models/bge-small-en-v1.5/${name}`, import.meta.url));
const modelUrl = (name: string) => `**/models/bge-small-en-v1.5/${name}`;

/** URLs that a page and its workers have asked for. */
function recordRequests(page: Page): string[] {
  const urls: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  return urls;
}

const timesAskedFor = (urls: readonly string[], name: string) => urls.filter((url) => new URL(url).pathname.endsWith(`/${name}`)).length;

/** Negates the second half of a file of int8 weights: still weights, of another model. */
async function alteredWeights(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await modelFile(name));
  for (let at = bytes.length >> 1; at < bytes.length; at++) bytes[at] = -(bytes[at] ?? 0);
  return bytes;
}

/** Loads an encoder and tells how that went. */
function loadOutcome(page: Page, options: { device: "auto" | "wasm" | "webgpu"; workers?: number }) {
  return page.evaluate(async (options) => {
    const choices: { device: string; reason: string | null; workers: number }[] = [];
    const encoder = window.createEncoder({ interactiveWorkers: 0, ...options, onDevice: (choice) => choices.push(choice) });
    const failure = await encoder.load().then(
      () => null,
      ({ code, message }) => ({ code, message }),
    );
    const { state, device, workers } = encoder.info();
    return { failure, choices, state, device, workers };
  }, options);
}

test.beforeEach(({ page }) => page.goto("/"));

test("the encoder gives every golden text its vector and token count on WASM without cross-origin isolation", async ({ page }) => {
  const rows = goldenRows.map(({ inputType, text }) => ({ inputType, text }));
  const results = await page.evaluate(async (rows) => {
    const encoder = window.createEncoder({ device: "wasm", workers: 2 });
    const embedded = await Promise.all(rows.map(({ inputType, text }) => encoder.embed(text, { inputType })));
    const counts = await Promise.all(rows.map(({ inputType, text }) => encoder.tokenize(text, { inputType })));
    return embedded.map(({ vectors, tokens, truncated }, i) => ({
      vector: [...(vectors[0] ?? [])],
      tokens: tokens[0],
      truncated: truncated[0],
      tokensBeforeCut: counts[i]?.[0]?.length,
    }));
  }, rows);
  const cosines = results.map(({ vector }, i) => cosineSimilarity(Float32Array.from(vector), goldenRows[i]?.vector ?? new Float32Array()));
  expect(results.map(({ tokens }) => tokens)).toEqual(goldenRows.map(({ tokens }) => tokens));
  expect(results.map(({ tokensBeforeCut }) => tokensBeforeCut)).toEqual(goldenRows.map(({ tokensBeforeCut }) => tokensBeforeCut));
  expect(results.map(({ truncated }) => truncated)).toEqual(goldenRows.map((row) => row.tokensBeforeCut - row.tokens));
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.999);
  expect(cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length).toBeGreaterThanOrEqual(0.9996);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
});

test("the encoder gives a text the same bits alone, in a batch and under load", async ({ page }) => {
  const texts = [...goldenRows.filter(({ tokens }) => tokens < 64).map(({ text }) => text), ...shortTexts];
  const largestDifference = await page.evaluate(async (texts) => {
    const encoder = window.createEncoder({ device: "wasm", workers: 2 });
    const alone: Float32Array[] = [];
    for (const text of texts) alone.push(...(await encoder.embed(text)).vectors);
    const [batch, ...concurrent] = await Promise.all([encoder.embed(texts), ...texts.map((text) => encoder.embed(text))]);
    const others = [batch.vectors, concurrent.flatMap(({ vectors }) => vectors)];
    const differences = others.flatMap((vectors) =>
      vectors.flatMap((vector, i) => Array.from(vector, (component, j) => Math.abs(component - (alone[i]?.[j] ?? Number.NaN)))),
    );
    return Math.max(...differences);
  }, texts);
  expect(largestDifference).toBe(0);
});

test("50 concurrent first calls create one session per worker and fetch each file once, only from the page's origin", async ({
  page,
  baseURL,
}) => {
  const urls = recordRequests(page);
  const { workers, tokens } = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm", workers: 2, interactiveWorkers: 1 });
    const calls = Array.from({ length: 50 }, (_, i) => encoder.embed(`call number ${i}`));
    const embedded = await Promise.all(calls);
    while (encoder.info().workers.ready < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    return { workers: encoder.info().workers, tokens: embedded.map(({ tokens }) => tokens.length) };
  });
  expect(workers).toEqual({ ready: 3, size: 3 });
  expect(tokens).toEqual(Array.from({ length: 50 }, () => 1));
  const created = await page.evaluate(() => window.runtimeRecords.filter((record) => "created" in record).length);
  expect(created).toBe(3);
  for (const name of ["manifest.json", "engine.bin", "weights-0.bin", "weights-1.bin", "tokenizer.json", "tokenizer_config.json"]) {
    expect(timesAskedFor(urls, name), name).toBe(1);
  }
  expect(urls.filter((url) => /\.onnx|webgpu/.test(url))).toEqual([]);
  expect(urls.filter((url) => new URL(url).origin !== new URL(baseURL ?? "").origin)).toEqual([]);
});

test("two workers run in parallel, each one text at a time", async ({ page }) => {
  const runs = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm", workers: 2 });
    await encoder.embed(Array.from({ length: 60 }, (_, i) => `${"the tide came in over the flats and ".repeat(4)} ${i}`));
    return window.runtimeRecords.flatMap((record) => ("start" in record ? [record] : []));
  });
  const overlap = (a: { start: number; end: number }, b: { start: number; end: number }) => a.start < b.end && b.start < a.end;
  const pairs = runs.flatMap((a, i) => runs.slice(i + 1).map((b) => [a, b] as const)).filter(([a, b]) => overlap(a, b));
  expect(pairs.filter(([a, b]) => a.worker === b.worker)).toEqual([]);
  expect(pairs.length).toBeGreaterThan(0);
});

test("a worker uses 27 MB of WASM memory, whatever the length of the texts", async ({ page }) => {
  const memory = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm", workers: 1, interactiveWorkers: 0 });
    const latest = () => window.runtimeRecords.flatMap((record) => ("start" in record ? [record.memoryBytes ?? 0] : [])).at(-1) ?? 0;
    await encoder.load();
    const loaded = latest();
    await encoder.embed(Array(8).fill("the tide came in over the flats and ".repeat(100)));
    return { loaded, full: latest() };
  });
  expect(memory.loaded).toBeGreaterThan(21e6);
  expect(memory.loaded).toBeLessThanOrEqual(27e6);
  expect(memory.full).toBe(memory.loaded);
});

test("the encoder reports download progress in bytes, up to the sizes in the manifest", async ({ page }) => {
  const { files, devices, tokenizer, weights }: Manifest = JSON.parse((await modelFile("manifest.json")).toString());
  const needed = [devices.wasm.file, ...weights, tokenizer.model, tokenizer.config];
  const progress = await page.evaluate(async () => {
    const told: { loaded: number; total: number; stored: number }[] = [];
    await window.createEncoder({ device: "wasm", workers: 1, onDownload: (progress) => told.push(progress) }).load();
    return told;
  });
  const total = needed.reduce((sum, name) => sum + (files[name]?.bytes ?? Number.NaN), 0);
  expect(new Set(progress.map(({ total }) => total))).toEqual(new Set([total]));
  expect(progress.map(({ loaded }) => loaded)).toEqual(progress.map(({ loaded }) => loaded).toSorted((a, b) => a - b));
  expect(progress.length).toBeGreaterThan(needed.length);
  expect(progress.at(-1)?.loaded).toBe(total);
  expect(new Set(progress.map(({ stored }) => stored))).toEqual(new Set([0]));
});

test("the encoder loads again after dispose from the browser's cache", async ({ page }) => {
  const urls = recordRequests(page);
  const outcome = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm", workers: 1 });
    const waiting = encoder.embed("a text that waits for the first load").catch(({ code }) => code);
    await encoder.dispose();
    const [before] = (await encoder.embed("a text")).vectors;
    await encoder.dispose();
    const disposed = encoder.info().state;
    const [after] = (await encoder.embed("a text")).vectors;
    return { waiting: await waiting, disposed, same: before?.every((component, i) => component === after?.[i]) };
  });
  expect(outcome).toEqual({ waiting: "disposed", disposed: "idle", same: true });
  await page.reload();
  expect((await loadOutcome(page, { device: "wasm", workers: 1 })).state).toBe("ready");
  expect(timesAskedFor(urls, "weights-0.bin")).toBe(1);
});

test("the encoder works without Cache Storage", async ({ page }) => {
  await page.addInitScript(() =>
    Object.defineProperty(globalThis, "caches", { value: { open: () => Promise.reject(new Error("no storage")) } }),
  );
  await page.reload();
  expect(await loadOutcome(page, { device: "wasm", workers: 1 })).toMatchObject({ failure: null, state: "ready" });
});

test("the encoder rejects weights that differ from the manifest", async ({ page }) => {
  const body = Buffer.from(await alteredWeights("weights-1.bin"));
  await page.route(modelUrl("weights-1.bin"), (route) => route.fulfill({ body }));
  expect((await loadOutcome(page, { device: "wasm" })).failure).toEqual({
    code: "integrity_failed",
    message: "The SHA-256 of weights-1.bin differs from the manifest",
  });
});

test("the encoder rejects a model by its self-test when weights and their hash are altered together", async ({ page }) => {
  const bytes = await alteredWeights("weights-1.bin");
  const manifest: Manifest = JSON.parse((await modelFile("manifest.json")).toString());
  manifest.files["weights-1.bin"] = { bytes: bytes.length, sha256: await sha256Hex(bytes) };
  await page.route(modelUrl("weights-1.bin"), (route) => route.fulfill({ body: Buffer.from(bytes) }));
  await page.route(modelUrl("manifest.json"), (route) => route.fulfill({ json: manifest }));
  const { failure, state, choices } = await loadOutcome(page, { device: "wasm", workers: 2 });
  expect(failure?.code).toBe("self_test_failed");
  expect(state).toBe("failed");
  expect(choices).toEqual([]);
});

test('device "webgpu" is rejected where WebGPU is unavailable, and device "auto" uses WASM', async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
  await page.reload();
  const forced = await loadOutcome(page, { device: "webgpu" });
  expect(forced.failure).toEqual({ code: "device_unavailable", message: "This browser has no WebGPU" });
  expect(forced.state).toBe("failed");
  expect(await loadOutcome(page, { device: "auto" })).toMatchObject({
    failure: null,
    choices: [{ device: "wasm", reason: null, workers: expect.any(Number) }],
  });
});

test("createEncoder rejects an invalid number of workers at once", async ({ page }) => {
  const refusals = await page.evaluate(() =>
    [{ workers: 0 }, { workers: 1.5 }, { workers: -1 }, { interactiveWorkers: -1 }].map((options) => {
      try {
        window.createEncoder(options);
        return "created";
      } catch (error) {
        return (error as Error).name;
      }
    }),
  );
  expect(refusals).toEqual(["RangeError", "RangeError", "RangeError", "RangeError"]);
});

test("the encoder loads nothing for an empty list of texts", async ({ page }) => {
  const urls = recordRequests(page);
  const outcome = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm" });
    return [await encoder.embed([]), await encoder.tokenize([]), encoder.info().state];
  });
  expect(outcome).toEqual([{ vectors: [], tokens: [], truncated: [], time: { queue: 0, inference: 0 } }, [], "idle"]);
  expect(urls).toEqual([]);
});

test("the encoder answers a query long before a bulk embedding is done", async ({ page }) => {
  const { bulkDone, answered } = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "wasm", workers: 1, interactiveWorkers: 1 });
    await encoder.load();
    while (encoder.info().workers.ready < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    let bulkDone = 0;
    const texts = Array.from({ length: 24 }, (_, i) => `${"the tide came in over the flats and ".repeat(8)} ${i}`);
    const bulk = encoder.embed(texts, { onProgress: ({ texts }) => (bulkDone = texts) });
    const answered: number[] = [];
    for (let i = 0; i < 3; i++) {
      await encoder.embed("when does the tide turn", { inputType: "query" });
      answered.push(bulkDone);
    }
    await bulk;
    return { bulkDone, answered };
  });
  expect(bulkDone).toBe(24);
  expect(Math.max(...answered)).toBeLessThan(24);
});
