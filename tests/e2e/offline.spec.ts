import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type Page, test } from "playwright/test";
import { AssetServer } from "./asset-server.ts";

let site: string;
let server: AssetServer;
test.beforeEach(async () => {
  site = await mkdtemp(join(tmpdir(), "samevec-site-"));
  await cp(fileURLToPath(new URL("../../dist/web", import.meta.url)), site, { recursive: true });
  server = await AssetServer.start(site);
});
test.afterEach(async () => {
  server.stop();
  await rm(site, { recursive: true });
});

const status = (page: Page) => page.getByRole("status");

/** Visits the page until it is ready and the browser has kept all of it. */
async function visit(page: Page): Promise<void> {
  await page.goto(`${server.url}?device=wasm&workers=1`);
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
}

test("after one visit the page opens and searches without a server", async ({ page }) => {
  await visit(page);
  const { url } = server;
  server.stop();
  await expect(page.request.get(url)).rejects.toThrow();

  await page.reload();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
  await page.getByRole("searchbox", { name: "Search" }).fill("dessert containing citrus");
  await expect(page.getByRole("list", { name: "Results" }).getByRole("heading").first()).toHaveText("Lemon drizzle cake");
});

test("a new version is told, and taken when the visitor asks for it", async ({ page }) => {
  await visit(page);
  const edit = async (file: string, change: (text: string) => string) => {
    const path = join(site, file);
    await writeFile(path, change(await readFile(path, "utf8")));
  };
  await edit("index.html", (html) => html.replace(/<title>.*<\/title>/, "<title>The next version</title>"));
  await edit("service-worker.js", (script) => script.replace(/(url:[`"']index\.html[`"'],revision:[`"'])\w+/, `$1${"0".repeat(64)}`));

  await page.reload();
  const notice = page.getByRole("alert").filter({ hasText: "A new version is there" });
  await expect(notice).toBeVisible();
  await expect(page).toHaveTitle(/^Samevec/);
  await notice.getByRole("button", { name: "Reload" }).click();
  await expect(page).toHaveTitle("The next version");
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
});
