import { expect, test } from "playwright/test";
import { cosineSimilarity } from "../../shared/vector.ts";
import { commits, HubServer } from "../contract/hub-server.ts";
import { knownTexts, openPool, tinyBert, vectorsInPage } from "./tiny-bert.ts";

let hub: HubServer;
test.beforeEach(async ({ page }) => {
  hub = await HubServer.start("tiny/bert", tinyBert);
  await page.goto("/");
});
test.afterEach(() => hub.close());

const here = (model = "tiny/bert") => ({ model, hubUrl: hub.endpoint });
const cosine = (a: readonly number[] = [], b: readonly number[] = []) => cosineSimilarity(Float32Array.from(a), Float32Array.from(b));

function expectKnownVectors(vectors: readonly number[][]): void {
  for (const [i, { vector }] of knownTexts.entries()) expect(cosine(vectors[i], vector)).toBeGreaterThan(0.9999);
}

test("a hub model gives the expected vectors and ranking, and requests only the page's server and the hub", async ({ page, baseURL }) => {
  const urls: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  const opened = await openPool(page, here());
  expect(opened).toMatchObject({
    failure: null,
    device: "wasm",
    model: { id: "tiny/bert", dimensions: 32, maxTokens: 64, pooling: "mean", prompts: { query: "query: ", passage: "passage: " } },
    choices: [{ device: "wasm", reason: expect.stringContaining("WebGPU"), workers: 1 }],
    kept: [true],
  });
  const last = opened.progress?.at(-1);
  expect(last?.loaded).toBe(last?.total);
  expect(last).toMatchObject({ stored: 0, loaded: expect.any(Number) });

  const vectors = await vectorsInPage(page);
  expectKnownVectors(vectors);
  const ranking = (of: readonly (readonly number[])[]) =>
    of.map((_, i) => i).sort((a, b) => cosine(of[0], of[b]) - cosine(of[0], of[a]) || a - b);
  expect(ranking(vectors)).toEqual(ranking(knownTexts.map(({ vector }) => vector)));

  const [worker] = page.workers();
  const fetchedInWorker = await worker?.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  expect(fetchedInWorker).toEqual([]);
  expect(urls.filter((url) => !url.startsWith(`${baseURL}/`) && !url.startsWith(hub.endpoint))).toEqual([]);
  // Of weights beside the graph, which are not there; and what Chromium says by itself of a machine without a GPU.
  expect(complaints.filter((text) => text !== "No available adapters.")).toEqual([expect.stringContaining("404")]);
});

test("createEncoder loads a hub model, searches with it and caches its runtime for the next visit", async ({ page }) => {
  const search = () =>
    page.evaluate(
      async ({ options, texts }) => {
        const encoder = window.createEncoder({ ...options, assetsUrl: "./", workers: 1, interactiveWorkers: 0 });
        const { vectors } = await encoder.embed(texts);
        const query = await encoder.embed(texts[1] ?? "");
        const scores = vectors.map((vector) => vector.reduce((sum, x, i) => sum + x * (query.vectors[0]?.[i] ?? 0), 0));
        const { device, kept, model } = encoder.info();
        await encoder.dispose();
        return { best: scores.indexOf(Math.max(...scores)), device, kept, dimensions: model?.dimensions };
      },
      { options: here(), texts: knownTexts.filter(({ inputType }) => inputType === "passage").map(({ text }) => text) },
    );
  const found = { best: 1, device: "wasm", kept: true, dimensions: 32 };
  expect(await search()).toEqual(found);
  await hub.close();
  await page.route("**/runtimes/*", (route) => route.abort());
  await page.reload();
  expect(await search()).toEqual(found);
});

test("a hub model loads from the cache without the hub on the next visit, with the same fingerprint", async ({ page }) => {
  const first = await openPool(page, here("tiny/bert@v2"));
  expect(hub.requests).toContain(`/tiny/bert/resolve/${commits.v2}/onnx/model.onnx`);
  await hub.close();
  await page.reload();
  const again = await openPool(page, here("tiny/bert@v2"));
  expect(again.model).toEqual(first.model);
  const last = again.progress?.at(-1);
  expect(last).toMatchObject({ stored: last?.total, loaded: last?.total });
  expectKnownVectors(await vectorsInPage(page));
});

test("a hub model's altered cache entry is downloaded again from the same commit", async ({ page }) => {
  await openPool(page, here());
  await page.evaluate(async (url) => {
    const cache = await caches.open("samevec-hub");
    await cache.put(url, new Response("no graph"));
  }, `${hub.endpoint}/tiny/bert/resolve/main/onnx/model.onnx`);
  await page.reload();
  const asked = hub.files.length;
  hub.main = "3".repeat(40);
  expect(await openPool(page, here())).toMatchObject({ failure: null });
  expect(hub.files.slice(asked)).toEqual(hub.files.slice(0, asked));
  for (const path of hub.requests.slice(1)) expect(path).toContain(`/resolve/${commits.main}/`);
});

test("a hub model loads weights stored beside its graph", async ({ page }) => {
  hub.served.set("onnx/model.onnx_data", Buffer.from("weights that this graph does not look for"));
  const { model } = await openPool(page, here());
  expect(hub.files).toContain("onnx/model.onnx_data");
  expectKnownVectors(await vectorsInPage(page));
  hub.served.clear();
  expect((await openPool(page, here("tiny/bert@v2"))).model?.fingerprint).not.toBe(model?.fingerprint);
});

const refusals: readonly { readonly what: string; readonly model?: string; readonly spoil?: () => unknown; readonly message: RegExp }[] = [
  { what: "an invalid model id", model: "../etc/passwd", message: /should be org\/name/ },
  {
    what: "a model that does not exist",
    model: "nobody/nothing",
    message: /nobody\/nothing could not be downloaded .*there is no such model/,
  },
  { what: "a revision that does not exist", model: "tiny/bert@v3", message: /there is no such revision/ },
  { what: "a missing graph", spoil: () => hub.served.set("onnx/model.onnx", "missing"), message: /no onnx\/model\.onnx/ },
  { what: "an invalid graph", spoil: () => hub.served.set("onnx/model.onnx", Buffer.from("no graph")), message: /./ },
  {
    what: "missing pooling settings",
    spoil: () => hub.served.set("modules.json", "missing"),
    message: /no modules\.json, which defines its pooling/,
  },
  {
    what: "a file that is not JSON",
    spoil: () => hub.served.set("modules.json", Buffer.from("<html>")),
    message: /modules\.json .*not JSON/,
  },
  {
    what: "unsupported max pooling",
    spoil: () => hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 32, pooling_mode: "max" })),
    message: /requests the pooling max; supported are cls and mean/,
  },
  {
    what: "dimensions that differ from the graph's",
    spoil: () => hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 31, pooling_mode: "mean" })),
    message: /31 dimensions/,
  },
  { what: "a hub that returns 503", spoil: () => hub.served.set("tokenizer.json", 503), message: /status 503 for tokenizer\.json/ },
  { what: "an unreachable hub", spoil: () => hub.close(), message: /could not be downloaded from .*modules\.json could not be fetched/ },
  { what: "a hub that stops sending", spoil: () => hub.served.set("tokenizer.json", "stalled"), message: /nothing arrived for 200 ms/ },
];
for (const { what, model, spoil, message } of refusals) {
  test(`loading a hub model rejects ${what}`, async ({ page }) => {
    await spoil?.();
    const { failure } = await openPool(page, { ...here(model), stallTimeout: 200 });
    expect(failure).toEqual({ code: "load_failed", message: expect.stringMatching(message) });
    await expect.poll(() => page.workers()).toEqual([]);
  });
}

for (const what of ["announced", "endless"] as const) {
  test(`loading a hub model rejects more bytes than its download limit (${what})`, async ({ page }) => {
    if (what === "endless") hub.served.set("tokenizer.json", "endless");
    const { failure } = await openPool(page, { ...here(), maxBytes: 100_000 });
    expect(failure).toEqual({
      code: "file_too_large",
      message: expect.stringMatching(/(tokenizer\.json|model\.onnx) is larger than the download limit/),
    });
    await expect.poll(() => page.workers()).toEqual([]);
  });
}

test("a hub model computes on WASM in new workers when workers have no WebGPU", async ({ page }) => {
  await page.evaluate(() => {
    const info = { isFallbackAdapter: false, vendor: "v", architecture: "a", device: "d", description: "a real one" };
    Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ({ info }) } });
  });
  expect(await openPool(page, { ...here(), workers: 2 })).toMatchObject({
    failure: null,
    device: "wasm",
    choices: [{ device: "wasm", reason: expect.stringMatching(/^WebGPU failed: /), workers: 2 }],
  });
  expectKnownVectors(await vectorsInPage(page));
});

test('a hub model rejects device "webgpu" where WebGPU is unavailable', async ({ page }) => {
  expect(await openPool(page, { ...here(), device: "webgpu" })).toMatchObject({ failure: { code: "device_unavailable" } });
  expect(hub.requests).toEqual([]);
});

test("aborting the load of a hub model ends its downloads and workers", async ({ page }) => {
  hub.served.set("onnx/model.onnx", "stalled");
  const reason = await page.evaluate(async (options) => {
    const controller = new AbortController();
    const opening = window.openPool({ ...options, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 500);
    return opening.then(
      () => "opened",
      (error) => error.message,
    );
  }, here());
  expect(reason).toBe("enough");
});
