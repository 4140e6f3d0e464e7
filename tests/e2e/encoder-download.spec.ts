import { expect, type Page, test } from "playwright/test";
import { AssetServer } from "./asset-server.ts";

let server: AssetServer;
test.beforeEach(async ({ page }) => {
  server = await AssetServer.start();
  await page.goto("/");
});
test.afterEach(() => server.stop());

/** Loads an encoder from the server of this test and embeds a text. */
function load(page: Page) {
  return page.evaluate(async (assetsUrl) => {
    const progress: { loaded: number; total: number; stored: number }[] = [];
    const encoder = window.createEncoder({
      device: "wasm",
      workers: 1,
      interactiveWorkers: 0,
      assetsUrl,
      onDownload: (told) => progress.push(told),
    });
    const failure = await encoder.embed("a text").then(
      () => null,
      ({ code, message }) => ({ code, message }),
    );
    return { failure, last: progress.at(-1), kept: encoder.info().kept };
  }, server.url);
}

test("the encoder resumes a download after the connection breaks", async ({ page }) => {
  server.cutAfter = (path, request) => (path.endsWith("weights-1.bin") && request <= 2 ? 5_000_000 : null);
  const { failure, last } = await load(page);
  expect(failure).toBeNull();
  expect(last?.loaded).toBe(last?.total);
  expect(server.rangesOf("weights-1.bin")).toEqual(["whole", "bytes=5000000-", "bytes=10000000-"]);
  expect(server.rangesOf("weights-0.bin")).toEqual(["whole"]);
});

test("the encoder restarts a broken download when the server does not support ranges", async ({ page }) => {
  server.givesRanges = false;
  server.cutAfter = (path, request) => (path.endsWith("engine.bin") && request === 1 ? 100_000 : null);
  const { failure, last } = await load(page);
  expect(failure).toBeNull();
  expect(last?.loaded).toBe(last?.total);
  expect(server.rangesOf("engine.bin")).toHaveLength(2);
});

test("the encoder gives up a download whose connection breaks repeatedly", async ({ page }) => {
  server.cutAfter = (path) => (path.endsWith("engine.bin") ? 1_000 : null);
  const { failure } = await load(page);
  expect(failure).toEqual({ code: "load_failed", message: expect.stringContaining("engine.bin could not be fetched") });
  expect(server.rangesOf("engine.bin")).toHaveLength(4);
});

test("the encoder discards a failed download and fetches the missing files on the next call", async ({ page }) => {
  server.refuseWith = (path, request) => (path.endsWith("weights-0.bin") && request === 1 ? 503 : null);
  const outcome = await page.evaluate(async (assetsUrl) => {
    const encoder = window.createEncoder({ device: "wasm", workers: 1, assetsUrl });
    const failures = await Promise.all(["one", "two"].map((text) => encoder.embed(text).catch(({ code, message }) => ({ code, message }))));
    const failed = encoder.info();
    const { vectors } = await encoder.embed("three");
    return {
      failures,
      failed: { state: failed.state, code: failed.error?.code },
      dimensions: vectors[0]?.length,
      state: encoder.info().state,
    };
  }, server.url);
  const failure = { code: "load_failed", message: "weights-0.bin could not be fetched: the server answered 503" };
  expect(outcome).toEqual({
    failures: [failure, failure],
    failed: { state: "failed", code: "load_failed" },
    dimensions: 384,
    state: "ready",
  });
  expect(server.rangesOf("weights-0.bin")).toEqual(["whole", "whole"]);
  expect(server.rangesOf("weights-1.bin")).toEqual(["whole"]);
});

test("the encoder reports cached bytes and loads entirely from the cache when offline", async ({ page }) => {
  expect(await load(page)).toMatchObject({ failure: null, kept: true, last: { stored: 0 } });
  await page.reload();
  const again = await load(page);
  expect(again).toMatchObject({ failure: null, kept: true });
  expect(again.last).toMatchObject({ stored: again.last?.total, loaded: again.last?.total });
  expect(server.rangesOf("weights-0.bin")).toHaveLength(1);
  await page.reload();
  await page.route(`${server.url}**`, (route) => route.abort());
  expect(await load(page)).toMatchObject({ failure: null });
});

test("the encoder detects a corrupted cache entry and fetches it again", async ({ page }) => {
  await load(page);
  const corrupted = await page.evaluate(async () => {
    const cache = await caches.open("samevec");
    for (const request of await cache.keys()) {
      const blob = await (await cache.match(request))?.blob();
      if (!blob || blob.size < 15e6) continue;
      await cache.put(request, new Response(new Blob([blob.slice(0, -4), new Uint8Array(4)])));
      return blob.size;
    }
    return 0;
  });
  expect(corrupted).toBeGreaterThan(15e6);
  await page.reload();
  const { failure, last } = await load(page);
  expect(failure).toBeNull();
  expect(last?.stored).toBe((last?.total ?? 0) - corrupted);
  expect(server.rangesOf("weights-0.bin")).toHaveLength(2);
  expect(server.rangesOf("weights-1.bin")).toHaveLength(1);
});

test("the encoder loads from memory and reports it when storage is full", async ({ page }) => {
  await page.addInitScript(() => {
    Cache.prototype.put = () => Promise.reject(new DOMException("Quota exceeded.", "QuotaExceededError"));
  });
  await page.reload();
  expect(await load(page)).toMatchObject({ failure: null, kept: false });
});
