import { expect, test } from "playwright/test";
import { cosineSimilarity } from "../../shared/encoder/encoder.ts";
import { type GoldenRow, goldenRows } from "../golden.ts";

function shortGoldenRow(): GoldenRow {
  const row = goldenRows.find(({ tokens }) => tokens >= 10 && tokens <= 16);
  if (!row) throw new Error("The golden file has no text of 10 to 16 tokens");
  return row;
}

test.beforeEach(({ page }) => page.goto("/"));

test("gives a text the vector that the published model and WASM give it", async ({ page }) => {
  const row = shortGoldenRow();
  const [onWebgpu, onWasm] = await page.evaluate(
    async ({ kind, text }) => {
      const vectors: number[][] = [];
      for (const device of ["webgpu", "wasm"] as const) {
        const encoder = window.createEncoder({ device, workers: 1 });
        const [vector] = (await encoder.embed(text, { kind })).vectors;
        if (encoder.info().device !== device) throw new Error(`computed on ${encoder.info().device}`);
        vectors.push([...(vector ?? [])]);
        await encoder.dispose();
      }
      return vectors;
    },
    { kind: row.kind, text: row.text },
  );
  const webgpu = Float32Array.from(onWebgpu ?? []);
  expect(cosineSimilarity(webgpu, row.vector)).toBeGreaterThanOrEqual(0.997);
  expect(cosineSimilarity(webgpu, Float32Array.from(onWasm ?? []))).toBeGreaterThanOrEqual(0.995);
});

test("does not choose an adapter that computes in software by itself, and says why", async ({ page }) => {
  const isSoftware = await page.evaluate(async () => (await navigator.gpu.requestAdapter())?.info.isFallbackAdapter);
  test.skip(isSoftware !== true, "this browser has a graphics adapter of hardware");
  const choices = await page.evaluate(async () => {
    const choices: { device: string; reason: string | null }[] = [];
    await window.createEncoder({ workers: 1, onDevice: ({ device, reason }) => choices.push({ device, reason }) }).load();
    return choices;
  });
  expect(choices).toEqual([{ device: "wasm", reason: "The only graphics adapter for WebGPU is computed in software" }]);
});

/** More than count as a question, so that they come to the device together. One has more than 32 tokens. */
const texts = ["A ferry to the island", `Bread${" and butter".repeat(16)}`, "The lamp in the hall flickers", "Two owls", "It rained"];

test("gives texts that share a run the vectors that each has alone", async ({ page }) => {
  const { runs, largestDifference } = await page.evaluate(async (texts) => {
    const encoder = window.createEncoder({ device: "webgpu", runTimeout: 300_000 });
    await encoder.load();
    const runsSoFar = () => window.runtimeRecords.filter((record) => "began" in record).length;
    const before = runsSoFar();
    const together = (await encoder.embed(texts)).vectors;
    const runs = runsSoFar() - before;
    const differences: number[] = [];
    for (const [i, text] of texts.slice(0, 2).entries()) {
      const [alone] = (await encoder.embed(text)).vectors;
      for (const [j, component] of (alone ?? []).entries()) differences.push(Math.abs(component - (together[i]?.[j] ?? Number.NaN)));
    }
    await encoder.dispose();
    return { runs, largestDifference: Math.max(...differences) };
  }, texts);
  expect(largestDifference).toBeLessThanOrEqual(1e-5);
  expect(runs).toBe(1);
});

test("computes every matrix product and all attention on the graphics device", async ({ page }) => {
  const profile: { name: string; operator: string; provider: string }[] = [];
  page.on("console", (message) => {
    for (const [, event] of message.text().matchAll(/^(\{"cat" : "Node".*\}),?$/gm)) {
      const { name, args } = JSON.parse(event ?? "");
      profile.push({ name, operator: args.op_name, provider: args.provider });
    }
  });
  await page.evaluate(async () => {
    window.scenario = { gpu: "real", profile: true };
    const encoder = window.createEncoder({ device: "webgpu" });
    await encoder.load();
    await encoder.dispose();
  });
  const heavy = profile.filter(({ operator }) => /MatMul|Gemm|Attention|Softmax|LayerNormalization|Gelu|Erf/.test(operator));
  expect(heavy.filter(({ operator }) => operator.includes("MatMul")).length).toBeGreaterThanOrEqual(6 * 12);
  expect(heavy.filter(({ provider }) => provider !== "WebGpuExecutionProvider")).toEqual([]);
});

test("compiles its shaders before the first text, for all lengths", async ({ page }) => {
  const compiled = await page.evaluate(async () => {
    const encoder = window.createEncoder({ device: "webgpu" });
    const soFar = () => window.runtimeRecords.filter((record) => "compiled" in record).length;
    await encoder.load();
    const before = soFar();
    await encoder.embed("Bread");
    await encoder.embed(`Bread${" and butter".repeat(16)}`);
    await encoder.dispose();
    return { before, after: soFar() };
  });
  expect(compiled.before).toBeGreaterThan(0);
  expect(compiled.after).toBe(compiled.before);
});

test("loses and repeats no text when the device is destroyed in the middle", async ({ page }) => {
  const { vectors, expected, progress, devices, sessions } = await page.evaluate(async (texts) => {
    const devices: string[] = [];
    const progress: number[] = [];
    const encoder = window.createEncoder({ device: "webgpu", runTimeout: 300_000, onDevice: ({ device }) => devices.push(device) });
    await encoder.load();
    const runsBefore = window.runtimeRecords.filter((record) => "began" in record).length;
    const embedding = encoder.embed(texts, { onProgress: ({ texts }) => progress.push(texts) });
    while (window.runtimeRecords.filter((record) => "began" in record).length === runsBefore) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    window.destroyDevice();
    const { vectors } = await embedding;
    const device = encoder.info().device ?? "";
    await encoder.dispose();
    const reference = window.createEncoder({ device: "wasm", workers: 1, interactiveWorkers: 0 });
    const expected = (await reference.embed(texts)).vectors;
    const sessions = window.runtimeRecords.flatMap((record) => ("created" in record && record.created === "webgpu" ? [record] : []));
    const plain = (vectors: Float32Array[]) => vectors.map((vector) => [...vector]);
    return { vectors: plain(vectors), expected: plain(expected), progress, devices: [...devices, device], sessions: sessions.length };
  }, texts);
  expect(sessions).toBe(2);
  expect(devices).toEqual(["webgpu", "webgpu"]);
  expect(progress.at(-1)).toBe(texts.length);
  expect(progress).toEqual([...new Set(progress)].toSorted((a, b) => a - b));
  const cosines = vectors.map((vector, i) => cosineSimilarity(Float32Array.from(vector), Float32Array.from(expected[i] ?? [])));
  expect(cosines).toHaveLength(texts.length);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.99);
});
