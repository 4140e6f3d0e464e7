import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "playwright/test";
import { bundleWorker, EdgeIsolate } from "../contract/edge-isolate.ts";

const example = new URL("../../docs/examples/other-origin.html", import.meta.url);

let isolate: EdgeIsolate;
let page: Server;
/** The page's, on one host name that the service knows and on another that it does not. */
let known: string;
let unknown: string;

test.beforeAll(async () => {
  const html = await readFile(example);
  page = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
  const { port } = page.address() as AddressInfo;
  known = `http://localhost:${port}`;
  unknown = `http://127.0.0.1:${port}`;
  isolate = await EdgeIsolate.start(await bundleWorker(), { variables: { CORS_ORIGINS: known } });
});

test.afterAll(async () => {
  await isolate?.stop();
  page?.close();
});

test("a page of an allowed origin embeds at the edge", async ({ page }) => {
  await page.goto(`${known}/other-origin.html?service=${isolate.url}`);
  await page.getByRole("button", { name: "Embed" }).click();
  await expect(page.locator("output")).toHaveText("384 dimensions, 5 tokens", { timeout: 60_000 });
});

test("a page of an unknown origin gets no response from the edge", async ({ page }) => {
  await page.goto(`${unknown}/other-origin.html?service=${isolate.url}`);
  await page.getByRole("button", { name: "Embed" }).click();
  await expect(page.locator("output")).toHaveText("Failed to fetch", { timeout: 60_000 });
});
