import { expect, type Page, test } from "playwright/test";
import { cosineSimilarity } from "../../shared/vector.ts";
import { type GoldenRow, goldenRows } from "../golden.ts";

function shortGoldenPassage(): GoldenRow {
  const row = goldenRows.find(({ inputType, tokens }) => inputType === "passage" && tokens >= 10 && tokens <= 16);
  if (!row) throw new Error("The golden file has no passage of 10 to 16 tokens");
  return row;
}

/** More than count as a question, so that they come to the device together, and no two of a length. */
const texts = [shortGoldenPassage().text, "A ferry to the island", "The lamp in the hall flickers", "Two owls", "It rained"];

/** In ms: a software adapter on a busy machine. */
const patience = { loadTimeout: 300_000, runTimeout: 300_000 };

/** As many, the last of which has more than 32 tokens: for those, the device's runs are wider. */
const mixedTexts = [...texts.slice(0, 4), `Bread${" and butter".repeat(16)}`];

test.describe("a WebGPU session", () => {
  let outcome: Awaited<ReturnType<typeof embedOnBoth>>;
  test.beforeAll(async ({ browser, baseURL }) => {
    const page = await browser.newPage({ ...(baseURL && { baseURL }) });
    await page.goto("/");
    outcome = await embedOnBoth(page);
    await page.close();
  });

  /** What one load gives to all tests here: on a software adapter each takes long. */
  function embedOnBoth(page: Page) {
    return page.evaluate(
      async ({ texts, patience }) => {
        const plain = (vectors: readonly Float32Array[]) => vectors.map((vector) => [...vector]);
        const count = (what: "began" | "compiled") => window.runtimeRecords.filter((record) => what in record).length;
        const encoder = window.createEncoder({ device: "webgpu", ...patience });
        await encoder.load();
        const { device } = encoder.info();
        const compiled = { atLoad: count("compiled"), after: 0 };
        // Alone first: a run of several texts needs two shaders more, which a slow device has not compiled at load.
        const alone: number[][] = [];
        for (const text of [texts.at(0), texts.at(-1)]) alone.push(...plain((await encoder.embed(text ?? "")).vectors));
        compiled.after = count("compiled");
        const runsBefore = count("began");
        const together = plain((await encoder.embed(texts)).vectors);
        const runs = count("began") - runsBefore;
        await encoder.dispose();
        const reference = window.createEncoder({ device: "wasm", workers: 1, interactiveWorkers: 0 });
        const onWasm = plain((await reference.embed(texts)).vectors);
        await reference.dispose();
        return { device, compiled, together, runs, alone, onWasm };
      },
      { texts: mixedTexts, patience },
    );
  }

  const cosine = (a: number[] | undefined, b: number[] | Float32Array | undefined) =>
    cosineSimilarity(Float32Array.from(a ?? []), Float32Array.from(b ?? []));

  test("WebGPU gives a text the vector of the published model and of WASM", () => {
    expect(outcome.device).toBe("webgpu");
    expect(cosine(outcome.alone[0], shortGoldenPassage().vector)).toBeGreaterThanOrEqual(0.997);
    const cosines = outcome.together.map((vector, i) => cosine(vector, outcome.onWasm[i]));
    expect(cosines).toHaveLength(mixedTexts.length);
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.999);
    expect(cosine(outcome.alone[0], outcome.onWasm[0])).toBeGreaterThanOrEqual(0.999);
  });

  test("WebGPU gives texts that share a run the same vectors as alone", () => {
    const differences = [outcome.together.at(0), outcome.together.at(-1)].flatMap((vector, i) =>
      (vector ?? []).map((component, j) => Math.abs(component - (outcome.alone[i]?.[j] ?? Number.NaN))),
    );
    expect(differences).toHaveLength(2 * 384);
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5);
    expect(outcome.runs).toBe(1);
  });

  test("WebGPU compiles its shaders for single texts of all lengths at load", () => {
    expect(outcome.compiled.atLoad).toBeGreaterThan(0);
    expect(outcome.compiled.after).toBe(outcome.compiled.atLoad);
  });
});

test('device "auto" skips a software adapter and says why', async ({ page }) => {
  await page.goto("/");
  const isSoftware = await page.evaluate(async () => (await navigator.gpu.requestAdapter())?.info.isFallbackAdapter);
  test.skip(isSoftware !== true, "this browser has a graphics adapter of hardware");
  const choices = await page.evaluate(async (texts) => {
    const choices: { device: string; reason: string | null }[] = [];
    const onDevice = ({ device, reason }: (typeof choices)[number]) => choices.push({ device, reason });
    const encoder = window.createEncoder({ workers: 1, webgpuThreshold: 0, onDevice });
    while (choices.length < 2) await encoder.embed(texts);
    return choices;
  }, texts);
  expect(choices).toEqual([
    { device: "wasm", reason: null },
    { device: "wasm", reason: "The only graphics adapter for WebGPU is a software adapter" },
  ]);
});

test("WebGPU computes every matrix product and all attention on the graphics device", async ({ page }) => {
  await page.goto("/");
  const profile: { name: string; operator: string; provider: string }[] = [];
  page.on("console", (message) => {
    for (const [, event] of message.text().matchAll(/^(\{"cat" : "Node".*\}),?$/gm)) {
      const { name, args } = JSON.parse(event ?? "");
      profile.push({ name, operator: args.op_name, provider: args.provider });
    }
  });
  await page.evaluate(async (patience) => {
    window.scenario = { gpu: "real", profile: true };
    const encoder = window.createEncoder({ device: "webgpu", ...patience });
    await encoder.load();
    await encoder.dispose();
  }, patience);
  const heavy = profile.filter(({ operator }) => /MatMul|Gemm|Attention|Softmax|LayerNormalization|Gelu|Erf/.test(operator));
  expect(heavy.filter(({ operator }) => operator.includes("MatMul")).length).toBeGreaterThanOrEqual(6 * 12);
  expect(heavy.filter(({ provider }) => provider !== "WebGpuExecutionProvider")).toEqual([]);
});

test("the encoder neither loses nor repeats a text when the WebGPU device is destroyed mid-run", async ({ page }) => {
  await page.goto("/");
  const { vectors, expected, progress, devices, sessions } = await page.evaluate(
    async ({ texts, patience }) => {
      const devices: string[] = [];
      const progress: number[] = [];
      const encoder = window.createEncoder({ device: "webgpu", ...patience, onDevice: ({ device }) => devices.push(device) });
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
    },
    { texts, patience },
  );
  expect(sessions).toBe(2);
  expect(devices).toEqual(["webgpu", "webgpu"]);
  expect(progress.at(-1)).toBe(texts.length);
  expect(progress).toEqual([...new Set(progress)].toSorted((a, b) => a - b));
  const cosines = vectors.map((vector, i) => cosineSimilarity(Float32Array.from(vector), Float32Array.from(expected[i] ?? [])));
  expect(cosines).toHaveLength(texts.length);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.999);
});
