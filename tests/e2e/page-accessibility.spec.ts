import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";
import { choose, collection, documentView, firstTitle, indexed, notes, openReady, searchBox } from "./visitor.ts";

let server: ServerProcess;
let page: Page;
test.beforeAll(async ({ browser }) => {
  server = await ServerProcess.start({ WORKERS: "1" });
  page = await (await browser.newContext()).newPage();
  await openReady(page, server.url);
});
test.afterAll(async () => {
  await page.close();
  await server.stop();
});

const looks = [
  { colorScheme: "light", width: 1280 },
  { colorScheme: "dark", width: 1280 },
  { colorScheme: "light", width: 360 },
  { colorScheme: "dark", width: 360 },
] as const;

/** In light and dark, wide and narrow: axe finds nothing, and nothing is wider than the screen. */
async function expectAccessible(): Promise<void> {
  for (const { colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 740 });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    expect(found, `${colorScheme}, ${width} px`).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  }
}

test("axe finds no violations on the empty page", expectAccessible);

test("axe finds no violations beside results of the built-in texts", async () => {
  await searchBox(page).fill("a deaf cat wanting adoption");
  await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa");
  await expect(page.getByText("Closest sentence")).toBeVisible();
  await expectAccessible();
});

test("axe finds no violations while documents are added or when files are rejected", async () => {
  const many = Array.from({ length: 60 }, (_, n) => [
    `day-${n}.txt`,
    `${"On that day the herons stood by the canal. ".repeat(40)} Day ${n}.`,
  ]);
  await choose(page, { ...Object.fromEntries(many), "empty.txt": "" });
  await expect(page.getByText("1 file could not be added")).toBeVisible();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Manage this collection").click();
  await page.getByText("One text, one vector").click();
  await expectAccessible();
});

test("axe finds no violations in a dialog", async () => {
  await page.getByRole("button", { name: "New collection" }).click();
  await expectAccessible();
  await page.getByRole("textbox", { name: "Name" }).fill("Notes");
  await page.keyboard.press("Enter");
  await expect(collection(page).locator("option:checked")).toHaveText("Notes");
});

test("axe finds no violations in a document with its heat map", async () => {
  await choose(page, notes);
  await indexed(page);
  await searchBox(page).fill("bleeding air out of a cold radiator");
  await expect(firstTitle(page)).toHaveText("Heating");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(documentView(page).locator(".current")).toBeVisible();
  await expectAccessible();
  await page.keyboard.press("Escape");
});
