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
    await window.createEncoder({ workers: 1, onDevice: (choice) => choices.push(choice) }).load();
    return choices;
  });
  expect(choices).toEqual([{ device: "wasm", reason: "The only graphics adapter for WebGPU is computed in software" }]);
});
