import { expect, test } from "vitest";
import { FallbackEncoder } from "../../web/encoder/fallback-encoder.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

/** An encoder over a pool of each device, and the reasons of its fallbacks. */
function createEncoder() {
  const webgpu = new FakeModel();
  const wasm = new FakeModel();
  const reasons: string[] = [];
  const encoder = new FallbackEncoder({
    createWebgpu: (onFailure) => createPool(webgpu, { size: 1, observer: { onRestart: ({ message }) => onFailure(message) } }),
    createWasm: () => createPool(wasm),
    onFallback: (reason) => reasons.push(reason),
  });
  return { encoder, webgpu, wasm, reasons };
}

const failOn = (failing: string) => (texts: string[]) => {
  if (texts.includes(failing)) throw new Error("device lost");
};

test("the fallback encoder stays on WebGPU while it works", async () => {
  const { encoder, wasm, reasons } = createEncoder();
  await encoder.embed(["a", "b"]);
  expect(reasons).toEqual([]);
  expect(wasm.opened).toBe(0);
});

test("the fallback encoder computes all texts of a failed call on WASM and disposes the WebGPU pool", async () => {
  const { encoder, webgpu, wasm, reasons } = createEncoder();
  webgpu.onRun = failOn("b");
  const { vectors } = await encoder.embed(["a", "b"]);
  expect(vectors).toEqual((await createPool(new FakeModel()).embed(["a", "b"])).vectors);
  expect(wasm.ran.toSorted()).toEqual(["a", "b"]);
  expect(reasons).toEqual([expect.stringMatching(/^WebGPU failed: .*device lost/)]);
  expect(webgpu.workers.map(({ terminated }) => terminated)).toEqual([true]);
});

test("the fallback encoder computes the other pending calls on WASM too", async () => {
  const { encoder, webgpu, reasons } = createEncoder();
  webgpu.onRun = failOn("a");
  await Promise.all([encoder.embed("a"), encoder.embed("b"), encoder.tokenize("c")]);
  expect(reasons).toHaveLength(1);
});

test("the fallback encoder uses WASM when WebGPU does not load", async () => {
  const { encoder, webgpu, wasm, reasons } = createEncoder();
  webgpu.loadFailures.push(new Error("no adapter"));
  await encoder.load();
  expect(reasons).toEqual([expect.stringContaining("no adapter")]);
  expect(wasm.opened).toBeGreaterThan(0);
});

test("the fallback encoder uses WASM when an idle WebGPU worker dies", async () => {
  const { encoder, webgpu, wasm, reasons } = createEncoder();
  await encoder.load();
  webgpu.workers[0]?.die();
  expect(reasons).toEqual([expect.stringContaining("killed by the test")]);
  await expect.poll(() => wasm.opened).toBeGreaterThan(0);
});

test("the fallback encoder reports progress that never decreases", async () => {
  const { encoder, webgpu } = createEncoder();
  webgpu.onRun = failOn("c");
  const progress: number[] = [];
  await encoder.embed(["aaa", "bb", "c"], { onProgress: ({ texts }) => progress.push(texts) });
  expect(progress).toEqual([1, 2, 3]);
});

test("the fallback encoder stays on WebGPU after an invalid request", async () => {
  const { encoder, reasons } = createEncoder();
  await expect(encoder.embed("too many characters", { truncate: false })).rejects.toMatchObject({ code: "text_too_long" });
  expect(reasons).toEqual([]);
});

test("the fallback encoder stays on WebGPU when it is disposed", async () => {
  const { encoder, reasons } = createEncoder();
  const pending = encoder.embed("a");
  await encoder.dispose();
  await expect(pending).rejects.toMatchObject({ code: "disposed" });
  expect(reasons).toEqual([]);
});

test("the fallback encoder rejects with the WASM error when WASM fails too", async () => {
  const { encoder, webgpu, wasm } = createEncoder();
  webgpu.onRun = failOn("a");
  wasm.onRun = failOn("a");
  await expect(encoder.embed("a")).rejects.toMatchObject({ code: "inference_failed" });
});
