import { expect, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";
import { firstTitle, holdModel, open, openReady, paste, results, searchBox, status, yourDocuments } from "./visitor.ts";

let server: ServerProcess;
test.beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "1" });
});
test.afterAll(() => server.stop());

test("before the model loads, an example is answered by meaning and a typed query by keyword", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page, server.url);
  await expect(searchBox(page)).toBeFocused();
  await page.getByRole("button", { name: "is this email a scam" }).click();
  await expect(firstTitle(page)).toHaveText("Is this message really from the bank?");
  await expect(status(page)).toContainText("with precomputed vectors");
  await expect(status(page)).toContainText("Loading the model");

  await searchBox(page).fill("elderly pet wanting adoption");
  await expect(status(page)).toContainText("by keyword only. Loading the model");

  letModelCome();
  await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa", { timeout: 60_000 });
  await expect(status(page)).toContainText(/\d+ passages? in \d+ ms on WASM/);
});

test("a text pasted before the model loads is searchable by keyword, and by meaning once the model loads", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page, server.url);
  await paste(page, "The harbour master moved the yellow buoy forty metres north.");
  await expect(yourDocuments(page)).toContainText("0 of 1 passage embedded");
  await expect(page.getByText("Documents are searchable by keyword until the model is loaded: 0 of 1 passage embedded.")).toBeVisible();
  await searchBox(page).fill("yellow buoy");
  await expect(results(page).first()).toContainText("harbour master");
  letModelCome();
  await expect(yourDocuments(page)).toHaveText(/pasted · 1 passage(?! embedded)/, { timeout: 60_000 });
  await searchBox(page).fill("a floating marker was relocated");
  await expect(results(page).first()).toContainText("yellow buoy");
});

test("?device=wasm&workers=2 is applied, and ?device=webgpu is rejected where WebGPU is unavailable", async ({ page }) => {
  await openReady(page, server.url, "device=wasm&workers=2");
  await expect(status(page)).toContainText("Ready on WASM with 2 workers");
  await open(page, server.url, "device=webgpu");
  await expect(status(page)).toContainText(/WebGPU/, { timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
});

test("the status shows the download in bytes", async ({ page }) => {
  const letRestCome = await holdModel(page, "**/models/**/weights-1.bin");
  await open(page, server.url);
  const progress = status(page).getByRole("progressbar", { name: "Download of the model" });
  await expect(progress).toHaveAttribute("aria-valuetext", /^\d+\.\d of \d+\.\d MB$/);
  const { value, max } = await progress.evaluate(({ value, max }: HTMLProgressElement) => ({ value, max }));
  expect(max).toBeGreaterThan(30e6);
  expect(value).toBeGreaterThan(0);
  expect(value).toBeLessThan(max);
  letRestCome();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
  await expect(progress).toBeHidden();
});

test("the status shows cached bytes and does not call them a download", async ({ page }) => {
  await openReady(page, server.url);
  await page.addInitScript(() => {
    const told: string[] = [];
    Object.assign(window, { told });
    new MutationObserver(() => told.push(document.querySelector("#status")?.textContent ?? "")).observe(document, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  await page.reload();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
  const told: string[] = await page.evaluate(() => Reflect.get(window, "told"));
  const counted = told.filter((text) => / of \d+\.\d MB/.test(text) && !text.includes(" 0.0 of"));
  expect(counted.length).toBeGreaterThan(0);
  expect(counted.filter((text) => !text.includes("from cache"))).toEqual([]);
});

test("the status says when the browser does not store the model", async ({ page }) => {
  await page.context().route("**/search-worker-*.js", async (route) => {
    const response = await route.fetch();
    const full = 'Cache.prototype.put = () => Promise.reject(new DOMException("Quota exceeded.", "QuotaExceededError"));';
    await route.fulfill({ response, body: full + (await response.text()) });
  });
  await openReady(page, server.url);
  await expect(status(page)).toContainText("This browser did not store the model: the next visit downloads it again.");
});

test("the status shows a failed download, which can be retried", async ({ page }) => {
  await page.context().route("**/models/**/weights-1.bin", (route) => route.abort());
  await open(page, server.url);
  const again = page.getByRole("button", { name: "Try again" });
  await expect(again).toBeVisible({ timeout: 60_000 });
  await expect(status(page)).toContainText("weights-1.bin");
  await page.context().unroute("**/models/**/weights-1.bin");
  await again.click();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
});

test("the status shows a search worker that cannot be started", async ({ page }) => {
  await page.context().route("**/search-worker-*.js", (route) => route.abort());
  await open(page, server.url);
  await expect(status(page)).toContainText("The search could not be started");
});

test("built-in documents with vectors of another model are re-embedded", async ({ page }) => {
  await page.context().route("**/library-*.json", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), fingerprint: "0".repeat(64) } });
  });
  await page.context().route("**/vectors-*.bin", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: Buffer.from(await response.body()).fill(0) });
  });
  await openReady(page, server.url);
  await page.getByRole("button", { name: "is this email a scam" }).click();
  await expect(firstTitle(page)).toHaveText("Is this message really from the bank?");
});
