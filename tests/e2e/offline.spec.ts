import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type Page, test } from "playwright/test";
import { AssetServer } from "./asset-server.ts";
import { drop, results, searchBox } from "./visitor.ts";

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

test("after one visit, the page opens and searches offline", async ({ page }) => {
  await visit(page);
  const { url } = server;
  server.stop();
  await expect(page.request.get(url)).rejects.toThrow();

  await page.reload();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
  await page.getByRole("searchbox", { name: "Search" }).fill("dessert containing citrus");
  await expect(page.getByRole("list", { name: "Results" }).getByRole("heading").first()).toHaveText("Lemon drizzle cake");
});

test("a folder of 500 notes is searchable by keyword at once, by meaning within seconds, and both offline after a reload", async ({
  page,
}) => {
  const notes = join(site, "notes");
  await mkdir(notes);
  for (let day = 1; day < 500; day++) {
    const text = `On day ${day} of the year it rained until noon, and I repaired chair number ${day} in the shed behind the old brick house. `;
    await writeFile(join(notes, `day-${day}.md`), text.repeat(2));
  }
  await writeFile(join(notes, "gulls.md"), "The lighthouse keeper counts gulls in the fog.");
  await visit(page);
  const ask = (query: string) => searchBox(page).fill(query);
  const expectGulls = (timeout: number) => expect(results(page).first()).toContainText("The lighthouse keeper", { timeout });
  const covered = async () =>
    Number(/([\d,]+) of [\d,]+ passages? embedded/.exec(await page.locator("#indexing").innerText())?.[1]?.replace(",", "") ?? 0);

  await drop(page, [notes]);
  await ask("lighthouse");
  await expectGulls(20_000);
  await page.getByRole("radio", { name: "Semantic" }).check({ force: true });
  await ask("seabirds near a beacon");
  await expectGulls(40_000);
  await expect(page.locator("#documents .summary")).toContainText("500 documents", { timeout: 40_000 });
  await expect.poll(covered).toBeGreaterThan(0);

  server.stop();
  await page.reload();
  await ask("lighthouse");
  await expectGulls(20_000);
  await expect(page.locator("#documents .summary")).toContainText("500 documents");
  await page.getByRole("radio", { name: "Semantic" }).check({ force: true });
  await ask("seabirds near a beacon");
  await expectGulls(60_000);
  await expect.poll(covered).toBeGreaterThan(0);
  const before = await covered();
  await expect.poll(covered, { timeout: 60_000 }).toBeGreaterThan(before);
});

test("the page announces a new version and loads it on request", async ({ page }) => {
  await visit(page);
  const edit = async (file: string, change: (text: string) => string) => {
    const path = join(site, file);
    await writeFile(path, change(await readFile(path, "utf8")));
  };
  await edit("index.html", (html) => html.replace(/<title>.*<\/title>/, "<title>The next version</title>"));
  await edit("service-worker.js", (script) => script.replace(/(url:[`"']index\.html[`"'],revision:[`"'])\w+/, `$1${"0".repeat(64)}`));

  await page.reload();
  const notice = page.getByRole("alert").filter({ hasText: "A new version is available" });
  await expect(notice).toBeVisible();
  await expect(page).toHaveTitle(/^Samevec/);
  await notice.getByRole("button", { name: "Reload" }).click();
  await expect(page).toHaveTitle("The next version");
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
});
