import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "playwright/test";
import { readIndexFile, writeIndexFile } from "../../shared/index/index-file.ts";
import { ServerProcess } from "../contract/server-process.ts";
import {
  choose,
  collection,
  firstTitle,
  holdModel,
  indexed,
  keepAsOfOtherModel,
  notes,
  openReady,
  otherFingerprint,
  paste,
  results,
  searchBox,
  status,
  yourDocuments,
} from "./visitor.ts";

let server: ServerProcess;
let page: Page;
test.describe.configure({ mode: "serial" });
test.beforeAll(async ({ browser }) => {
  server = await ServerProcess.start({ WORKERS: "1" });
  page = await browser.newPage();
  await openReady(page, server.url);
  await paste(page, "The harbour master moved the yellow buoy forty metres north.");
  await indexed(page);
});
test.afterAll(async () => {
  await page.close();
  await server.stop();
});

const modelChanged = "The search model has changed. Your documents are being embedded again; keyword search works meanwhile.";
const dialog = () => page.getByRole("dialog");
const manage = (name: string) => page.locator("#manage").getByRole("button", { name });
const shown = () => collection(page).locator("option:checked");

/** Downloads the collection that is shown, as an index file. */
async function exported(): Promise<{ name: string; path: string }> {
  const [download] = await Promise.all([page.waitForEvent("download"), manage("Export").click()]);
  return { name: download.suggestedFilename(), path: await download.path() };
}

test("collections are created by name, searched separately and selected per tab", async () => {
  await page.getByRole("button", { name: "New collection" }).click();
  await dialog().getByRole("textbox", { name: "Name" }).fill("House");
  await page.keyboard.press("Enter");
  await expect(shown()).toHaveText("House");
  await expect(yourDocuments(page)).toHaveCount(0);
  await choose(page, { "heating.md": notes["heating.md"] ?? "" });
  await indexed(page);
  await searchBox(page).fill("yellow buoy");
  await expect(results(page).filter({ hasText: "harbour master" })).toHaveCount(0);

  await collection(page).selectOption("My documents");
  await expect(results(page).first()).toContainText("harbour master");
  await collection(page).selectOption("House");
  await searchBox(page).fill("the radiator is cold");
  await expect(firstTitle(page)).toHaveText("Heating");

  expect(page.url()).not.toMatch(/house|[0-9a-f]{8}-/i);
  await page.reload();
  await expect(shown()).toHaveText("House");
  await expect(yourDocuments(page)).toHaveCount(1);
});

test("a collection is renamed, and a cancelled rename changes nothing", async () => {
  await page.getByText("Manage this collection").click();
  await manage("Rename").click();
  await dialog().getByRole("textbox", { name: "Name" }).fill("   ");
  await page.keyboard.press("Enter");
  await expect(dialog()).toBeVisible();
  await dialog().getByRole("textbox", { name: "Name" }).fill("My house");
  await dialog().getByRole("button", { name: "Rename" }).click();
  await expect(shown()).toHaveText("My house");
  await manage("Rename").click();
  await dialog().getByRole("textbox", { name: "Name" }).fill("Castle");
  await page.keyboard.press("Escape");
  await expect(dialog()).toBeHidden();
  await expect(manage("Rename")).toBeFocused();
  await expect(shown()).toHaveText("My house");
});

test("the page shows a collection's size, its model and where it is stored", async () => {
  const figures = page.locator("#manage dd");
  await expect(figures).toHaveText(["1", /^\d$/, /^\d+ KB$/, /^[0-9a-f]{12}$/]);
  await expect(page.getByText(/^Stored in this browser/)).toBeVisible();
});

test("an exported collection is imported again and searchable by meaning at once", async () => {
  const { name, path } = await exported();
  expect(name).toBe("My house.samevec");
  await page.getByLabel("Import").setInputFiles({ name: "Copy.samevec", mimeType: "", buffer: await readFile(path) });
  await expect(shown()).toHaveText("Copy");
  await expect(yourDocuments(page)).toHaveText(/Heatingmd · \d passages(?! embedded)/);
  await searchBox(page).fill("a heater without warmth");
  await expect(firstTitle(page)).toHaveText("Heating");
  await expect(results(page).first()).toContainText("%");
});

test("an invalid index file is rejected with a reason and creates no collection", async () => {
  await page.getByLabel("Import").setInputFiles({ name: "broken.samevec", mimeType: "", buffer: Buffer.from("not an index at all") });
  await expect(page.getByRole("alert")).toContainText(/index file/i);
  await expect(collection(page).locator("option")).toHaveText(["My documents", "My house", "Copy"]);
});

test("an index file of another model is imported and re-embedded automatically", async () => {
  const { path } = await exported();
  const contents = await readIndexFile(new Uint8Array(await readFile(path)));
  const foreign = Buffer.from(await writeIndexFile({ ...contents, fingerprint: otherFingerprint }));
  await page.getByLabel("Import").setInputFiles({ name: "Foreign.samevec", mimeType: "", buffer: foreign });
  await expect(shown()).toHaveText("Foreign");
  await searchBox(page).fill("thermostat");
  await expect(results(page).first()).toContainText("thermostat");
  await searchBox(page).fill("a heater without warmth");
  await expect(results(page).first()).toContainText("%", { timeout: 60_000 });
  await expect(page.getByText(modelChanged)).toBeHidden();
});

test("collections embedded by another model are searchable by keyword at once and re-embedded with a notice", async () => {
  await searchBox(page).fill("");
  await keepAsOfOtherModel(page);
  const letModelCome = await holdModel(page);
  await page.reload();
  const line = page.getByText(modelChanged);
  await expect(line).toBeVisible();
  await expect(shown()).toHaveText("Foreign");
  await expect(yourDocuments(page)).toHaveCount(1);
  await searchBox(page).fill("thermostat");
  await expect(results(page).first()).toContainText("The thermostat");
  await expect(status(page)).toContainText(/by keyword only\..* Loading the model/);

  letModelCome();
  await expect(line).toBeHidden({ timeout: 60_000 });
  await searchBox(page).fill("a heater without warmth");
  await expect(results(page).first()).toContainText("%");
  await collection(page).selectOption("My documents");
  await searchBox(page).fill("a floating marker was relocated");
  await expect(results(page).first()).toContainText("yellow buoy");
  await expect(line).toBeHidden();
  await collection(page).selectOption("Foreign");
  await page.getByText("Manage this collection").click();
});

test("removing all documents and deleting a collection require confirmation", async () => {
  await manage("Remove all documents").click();
  await expect(dialog()).toContainText("1 document will be removed.");
  await expect(dialog().getByRole("button", { name: "Cancel" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(yourDocuments(page)).toHaveCount(1);
  await manage("Remove all documents").click();
  await dialog().getByRole("button", { name: "Remove all" }).click();
  await expect(yourDocuments(page)).toHaveCount(0);

  await manage("Delete collection").click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await expect(collection(page).locator("option")).toHaveText(["My documents", "My house", "Copy"]);
  await expect(shown()).toHaveText("My documents");
});
