import { expect, type Page, test } from "playwright/test";
import { cosineSimilarity } from "../../shared/vector.ts";
import type { Scenario } from "./encoder-page/runtime-record.ts";

/** No two are alike. More than a worker on WebGPU is handed at once. */
const texts = Array.from({ length: 40 }, (_, i) => `Parcel ${i} was left with neighbour ${(i * 7) % 40}`);

/** What WASM gives them, computed once. */
let expected: number[][] | null = null;

/** Has the browser promise a graphics card. What computes on it is decided by the scenario. */
async function withGraphicsCard(page: Page, scenario: Scenario): Promise<string[]> {
  await page.addInitScript(() => {
    const info = { isFallbackAdapter: false, vendor: "acme", architecture: "", device: "", description: "" };
    Object.defineProperty(navigator, "gpu", { configurable: true, value: { requestAdapter: async () => ({ info }) } });
  });
  await page.goto("/");
  await page.evaluate((scenario) => {
    window.scenario = scenario;
  }, scenario);
  const urls: string[] = [];
  page.on("request", (request) => urls.push(new URL(request.url()).pathname.replace(/.*\//, "")));
  return urls;
}

/** Embeds the texts again and again until the encoder has decided on WebGPU, and then once more. */
function embedAll(page: Page, options: { loadTimeout?: number; runTimeout?: number; webgpuThreshold?: number } = {}) {
  return page.evaluate(
    async ({ texts, options }) => {
      const choices: { device: string; reason: string | null }[] = [];
      const progress: number[] = [];
      const encoder = window.createEncoder({
        workers: 1,
        webgpuThreshold: 0,
        ...options,
        onDevice: ({ device, reason }) => choices.push({ device, reason }),
      });
      while (choices.length < 2) await encoder.embed(texts);
      const { vectors, tokens } = await encoder.embed(texts, { onProgress: ({ texts }) => progress.push(texts) });
      const { state, device } = encoder.info();
      const answer = (await encoder.embed("where is my parcel", { inputType: "query" })).vectors.length;
      await encoder.dispose();
      return { choices, progress, tokens, state, device, answer, vectors: vectors.map((vector) => [...vector]) };
    },
    { texts, options },
  );
}

const engineFirst = { device: "wasm", reason: null };

/** Every text has its own vector, once: its nearest is the one that WASM gives it. */
async function expectAll(page: Page, { vectors, progress, answer }: Awaited<ReturnType<typeof embedAll>>): Promise<void> {
  expected ??= await page.evaluate(async (texts) => {
    const encoder = window.createEncoder({ device: "wasm", workers: 2, interactiveWorkers: 0 });
    return (await encoder.embed(texts)).vectors.map((vector) => [...vector]);
  }, texts);
  expect(vectors).toHaveLength(texts.length);
  for (const [i, vector] of vectors.entries()) {
    const cosines = expected.map((other) => cosineSimilarity(Float32Array.from(vector), Float32Array.from(other)));
    expect(cosines.indexOf(Math.max(...cosines)), `the nearest of text ${i}`).toBe(i);
    expect(cosines[i]).toBeGreaterThanOrEqual(0.99);
  }
  expect(progress).toEqual([...new Set(progress)].toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(texts.length);
  expect(answer).toBe(1);
}

const timesAskedFor = (urls: readonly string[], name: string) => urls.filter((url) => url === name).length;

test("the encoder fetches WebGPU after much text, switches when it passes the self-test and is faster, and fetches each file once", async ({
  page,
}) => {
  const urls = await withGraphicsCard(page, { gpu: "simulated" });
  const outcome = await embedAll(page);
  await expectAll(page, outcome);
  expect(outcome.choices).toEqual([engineFirst, { device: "webgpu", reason: null }]);
  expect(outcome).toMatchObject({ state: "ready", device: "webgpu" });
  const created = await page.evaluate(() => window.runtimeRecords.flatMap((record) => ("created" in record ? [record.created] : [])));
  expect(created.slice(0, 3).toSorted()).toEqual(["wasm", "wasm", "webgpu"]);
  for (const name of ["webgpu.bin", "weights-0.bin", "weights-1.bin", "gpu.onnx", "engine.bin"]) {
    expect(timesAskedFor(urls, name), name).toBe(1);
  }
  expect(timesAskedFor(urls, "cpu.onnx")).toBe(0);
});

test("the encoder fetches nothing for WebGPU after little text", async ({ page }) => {
  const urls = await withGraphicsCard(page, { gpu: "simulated" });
  const choices = await page.evaluate(async (texts) => {
    const choices: { device: string; reason: string | null }[] = [];
    const encoder = window.createEncoder({ workers: 1, onDevice: ({ device, reason }) => choices.push({ device, reason }) });
    for (let i = 0; i < 3; i++) await encoder.embed(texts);
    return choices;
  }, texts);
  expect(choices).toEqual([engineFirst]);
  expect(urls.filter((url) => /webgpu|\.onnx/.test(url))).toEqual([]);
});

test("the encoder stays on WASM when WebGPU is measured to be slower", async ({ page }) => {
  await withGraphicsCard(page, { gpu: "simulated, slow" });
  const outcome = await embedAll(page);
  await expectAll(page, outcome);
  expect(outcome.choices).toEqual([engineFirst, { device: "wasm", reason: "WebGPU was measured and is slower than WASM here" }]);
});

for (const [failure, reason] of [
  ["load", /WebGPU failed: .*no memory is left on the graphics device/],
  ["hang at load", /WebGPU failed: .*did not answer within/],
  ["wrong vectors", /WebGPU failed: .*returns wrong vectors on this device/],
  ["wrong vectors of long texts", /WebGPU failed: .*returns wrong vectors on this device/],
] as const) {
  test(`the encoder stays on WASM when WebGPU fails at load: ${failure}`, async ({ page }) => {
    await withGraphicsCard(page, { gpu: "simulated", failure });
    const outcome = await embedAll(page, { loadTimeout: 20_000 });
    await expectAll(page, outcome);
    expect(outcome.choices).toEqual([engineFirst, { device: "wasm", reason: expect.stringMatching(reason) }]);
  });
}

for (const [failure, reason] of [
  ["lost", /WebGPU failed: .*The graphics device was lost/],
  ["uncaptured", /WebGPU failed: .*Out of memory/],
  ["hang", /WebGPU failed: .*did not answer within/],
  ["not finite", /WebGPU failed: .*not finite/],
  ["crash", /WebGPU failed: .*The worker was killed/],
] as const) {
  test(`the encoder neither loses nor repeats a text when WebGPU fails mid-run: ${failure}`, async ({ page }) => {
    await withGraphicsCard(page, { gpu: "simulated", failure });
    const outcome = await embedAll(page, { runTimeout: 10_000 });
    await expectAll(page, outcome);
    expect(outcome.choices).toEqual([
      engineFirst,
      { device: "webgpu", reason: null },
      { device: "wasm", reason: expect.stringMatching(reason) },
    ]);
    expect(outcome).toMatchObject({ state: "ready", device: "wasm" });
  });
}

test("the encoder stays on WASM when the WebGPU runtime cannot be fetched", async ({ page }) => {
  await withGraphicsCard(page, { gpu: "simulated" });
  await page.route("**/runtimes/webgpu.bin", (route) => route.fulfill({ status: 503 }));
  const outcome = await embedAll(page);
  await expectAll(page, outcome);
  expect(outcome.choices).toEqual([engineFirst, { device: "wasm", reason: expect.stringContaining("webgpu.bin could not be fetched") }]);
});

test('device "webgpu" reports its failure and is not replaced by another device', async ({ page }) => {
  await withGraphicsCard(page, { gpu: "simulated", failure: "wrong vectors" });
  const outcome = await page.evaluate(async () => {
    const choices: string[] = [];
    const encoder = window.createEncoder({ device: "webgpu", onDevice: ({ device }) => choices.push(device) });
    const code = await encoder.embed("a text").catch(({ code }) => code);
    return { choices, code, state: encoder.info().state };
  });
  expect(outcome).toEqual({ choices: [], code: "self_test_failed", state: "failed" });
});

test("the encoder answers while waiting for a graphics adapter, and stops waiting after a time", async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: { requestAdapter: () => new Promise(() => {}) } }));
  await page.goto("/");
  const { choices } = await embedAll(page);
  expect(choices).toEqual([engineFirst, { device: "wasm", reason: expect.stringContaining("did not find a graphics adapter") }]);
});
