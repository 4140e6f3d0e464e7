import { expect, test } from "playwright/test";
import { cosineSimilarity } from "../../shared/vector.ts";
import { HubServer } from "../contract/hub-server.ts";
import { knownTexts, openPool, tinyBert, vectorsInPage } from "./tiny-bert.ts";

let hub: HubServer;
test.beforeEach(async ({ page }) => {
  hub = await HubServer.start("tiny/bert", tinyBert);
  await page.goto("/");
  test.skip(await page.evaluate(async () => !(await navigator.gpu?.requestAdapter())), "this browser has no WebGPU");
});
test.afterEach(() => hub.close());

function expectKnownVectors(vectors: readonly number[][]): void {
  for (const [i, { vector }] of knownTexts.entries()) {
    expect(cosineSimilarity(Float32Array.from(vectors[i] ?? []), Float32Array.from(vector))).toBeGreaterThan(0.9999);
  }
}

test("a hub model gives the expected vectors on WebGPU", async ({ page }) => {
  expect(await openPool(page, { model: "tiny/bert", hubUrl: hub.endpoint, device: "webgpu" })).toMatchObject({
    failure: null,
    device: "webgpu",
    choices: [{ device: "webgpu", reason: null, workers: 1 }],
  });
  expectKnownVectors(await vectorsInPage(page));
});

test("a hub model falls back to WASM when the graphics device is lost", async ({ page }) => {
  await page.evaluate(() => {
    const requestAdapter = navigator.gpu.requestAdapter.bind(navigator.gpu);
    const info = { isFallbackAdapter: false, vendor: "v", architecture: "a", device: "d", description: "a real one" };
    Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => (await requestAdapter()) && { info } } });
  });
  page.once("worker", async (worker) => {
    await worker.evaluate(() => {
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        const device = await requestDevice.call(this, descriptor);
        Object.assign(globalThis, { lose: () => device.destroy() });
        return device;
      };
    });
  });
  expect(await openPool(page, { model: "tiny/bert", hubUrl: hub.endpoint })).toMatchObject({ failure: null, device: "webgpu" });
  const [first] = page.workers();
  await first?.evaluate(() => (globalThis as unknown as { lose(): void }).lose());
  await expect
    .poll(() => page.evaluate(() => window.opened?.choices.at(-1)))
    .toEqual({ device: "wasm", reason: expect.stringContaining("The graphics device was lost"), workers: 1 });
  expectKnownVectors(await vectorsInPage(page));
  expect(await page.evaluate(() => window.opened?.pool.info().device)).toBe("wasm");
});
