import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, type Page, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";
import {
  choose,
  documentView,
  drop,
  firstTitle,
  indexed,
  notes,
  openReady,
  paste,
  results,
  searchBox,
  status,
  yourDocuments,
} from "./visitor.ts";

let server: ServerProcess;
let folder: string;
test.beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "1" });
  folder = await mkdtemp(join(tmpdir(), "samevec-page-"));
});
test.afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

/** Writes files below a folder of their own. */
async function write(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), content);
  }
  return join(folder, name);
}

const problems = (page: Page) => page.getByRole("list", { name: "Files that could not be added" }).getByRole("listitem");
const progress = (page: Page) => page.getByRole("group", { name: "Progress" });

test("a pasted text replaces the built-in texts in searches until it is removed, unless they are selected", async ({ page }) => {
  await openReady(page, server.url);
  await expect(page.getByText("Built-in texts")).toBeHidden();
  await paste(page, "Notes on the greenhouse\n\nThe tomatoes by the south wall ripened two weeks before those by the door.");
  await expect(yourDocuments(page)).toHaveText(/pasted · 1 passage/);
  await searchBox(page).fill("greenhouse crops");
  await expect(firstTitle(page)).toHaveText("Notes on the greenhouse");
  await searchBox(page).fill("sunken vessel");
  await expect(page.getByText("No results.")).toBeVisible();
  await page.getByText("Built-in texts").click();
  await expect(firstTitle(page)).toHaveText("The Vasa, 1628");
  await page.getByText("Built-in texts").click();
  await expect(results(page)).toHaveCount(0);

  await page.getByRole("button", { name: "Remove Notes on the greenhouse" }).click();
  await expect(yourDocuments(page)).toHaveCount(0);
  await expect(firstTitle(page)).toHaveText("The Vasa, 1628");
});

test("a dropped folder is added with its paths and without hidden files, and each rejected file is named", async ({ page }) => {
  const home = await write("home", {
    "house/heating.md": notes["heating.md"] ?? "",
    "house/.hidden.md": "# Hidden\n\nNobody is to see this.",
    ".git/config.txt": "Nobody is to see this either.",
    "garden/slugs.txt": "Copper tape around the pots keeps slugs away.",
    "empty.txt": "",
    "picture.txt": new Uint8Array([0x89, 0x50, 0, 0, 0, 0x0d, 0, 0]),
  });
  await openReady(page, server.url);
  await drop(page, [home]);
  await expect(problems(page)).toHaveCount(2);
  await expect(problems(page).filter({ hasText: "home/empty.txt" })).toHaveCount(1);
  await expect(problems(page).filter({ hasText: "home/picture.txt" })).toHaveCount(1);
  await indexed(page);
  await expect(yourDocuments(page)).toHaveCount(2);
  await searchBox(page).fill("snails");
  await expect(results(page).first()).toContainText("home › garden › slugs.txt");

  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(problems(page)).toHaveCount(0);
});

test("a chosen folder is added with its paths", async ({ page }) => {
  const trips = await write("trips", {
    "lisbon/food.md": "# Food\n\nGrilled sardines below the castle.",
    "lisbon/.cache.txt": "Not this.",
  });
  await openReady(page, server.url);
  await page.getByLabel("Choose a folder").setInputFiles(trips);
  await expect(yourDocuments(page)).toHaveCount(1);
  await searchBox(page).fill("sardines");
  await expect(results(page).first()).toContainText("trips › lisbon › food.md");
});

test("changes in a connected folder are searchable when the visitor returns", async ({ page }) => {
  // In place of the dialog, which only a person can answer: a folder that the browser itself keeps.
  await page.addInitScript(() => {
    const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle("diary", { create: true });
    const write = async (name: string, text: string) => {
      const file = await (await (await folder()).getFileHandle(name, { create: true })).createWritable();
      await file.write(text);
      await file.close();
    };
    Object.assign(window, { showDirectoryPicker: folder, writeNote: write });
  });
  const note = (name: string, text: string) => page.evaluate(([name, text]) => Reflect.get(window, "writeNote")(name, text), [name, text]);
  await openReady(page, server.url);
  await note("monday.txt", "On Monday the heron stood by the canal.");
  await page.getByRole("button", { name: "Connect a folder" }).click();
  await expect(page.getByText("Following the folder diary.")).toBeVisible();
  await expect(yourDocuments(page)).toHaveCount(1);

  await note("tuesday.txt", "On Tuesday a kingfisher flew under the bridge.");
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expect(yourDocuments(page)).toHaveCount(2);
  await searchBox(page).fill("kingfisher");
  await expect(results(page).first()).toContainText("under the bridge");

  await page.getByRole("button", { name: "Disconnect" }).click();
  await expect(page.getByRole("button", { name: "Connect a folder" })).toBeVisible();
  await expect(yourDocuments(page)).toHaveCount(2);
});

test("documents being embedded show progress, are searchable by keyword, and can be paused and resumed", async ({ page }) => {
  await openReady(page, server.url);
  const chapter = (n: number) =>
    `# Chapter ${n}\n\n${`In chapter ${n} the ferry leaves the island at dawn, and gulls follow it for a while. `.repeat(150)}`;
  await choose(page, Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`chapter-${n + 1}.md`, chapter(n + 1)])));
  await expect(progress(page)).toContainText(/searchable by keyword: \d+ of \d\d+ passages embedded/);
  await progress(page).getByRole("button", { name: "Pause" }).click();
  await expect(progress(page)).toContainText("Paused: ");
  await searchBox(page).fill('"chapter 7"');
  await expect(firstTitle(page)).toHaveText("Chapter 7");
  await expect(results(page).filter({ hasText: "found by keyword" })).not.toHaveCount(0);
  await expect(status(page)).toContainText(/\d+ of \d\d+ passages embedded\./);

  const bar = progress(page).getByRole("progressbar");
  const done = await bar.evaluate(({ value }: HTMLProgressElement) => value);
  await progress(page).getByRole("button", { name: "Resume" }).click();
  await expect(progress(page)).toContainText(/passages a second, .+ left/, { timeout: 30_000 });
  await expect.poll(() => bar.evaluate(({ value }: HTMLProgressElement) => value)).toBeGreaterThan(done);
});

test("a file with the name of another one is added beside it or in its place, as the visitor decides", async ({ page }) => {
  await openReady(page, server.url);
  await choose(page, { "notes.md": "The heron stood by the canal." });
  await expect(yourDocuments(page)).toHaveCount(1);
  const question = page.getByRole("dialog", { name: "notes.md is already here" });

  await choose(page, { "notes.md": "A kingfisher flew under the bridge.", "other.md": "The swans slept." });
  await question.getByRole("button", { name: "Keep both" }).click();
  await expect(yourDocuments(page)).toHaveCount(3);
  await searchBox(page).fill("kingfisher");
  await expect(results(page).first()).toContainText("notes (1).md");
  await searchBox(page).fill("heron");
  await expect(firstTitle(page)).toHaveText("The heron stood by the canal.");

  await choose(page, { "notes.md": "An otter swam past the lock." });
  await question.getByRole("button", { name: "Replace" }).click();
  await searchBox(page).fill("otter");
  await expect(firstTitle(page)).toHaveText("An otter swam past the lock.");
  await expect(yourDocuments(page)).toHaveCount(3);
});

test("reading many files can be stopped, which keeps those that are read", async ({ page }) => {
  await openReady(page, server.url);
  const text = (n: number) => `Report ${n}. ${"The lamp in the hall was left on again, and the cat slept below it. ".repeat(900)}`;
  await choose(page, Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`report-${n}.txt`, text(n)])));
  await progress(page).getByRole("button", { name: "Stop reading" }).click();
  await expect(progress(page).getByRole("button", { name: "Stop reading" })).toBeHidden();
  await expect(progress(page).getByRole("button", { name: "Pause" })).toBeVisible();
  const kept = await yourDocuments(page).count();
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(80);
});

test.describe("a collection of notes", () => {
  let page: Page;
  test.beforeAll(async ({ browser }) => {
    page = await browser.newPage();
    await openReady(page, server.url);
    await choose(page, notes);
    await indexed(page);
  });
  test.afterAll(() => page.close());

  test("the document list shows each document's passages and marks keyword-only ones", async () => {
    await expect(yourDocuments(page)).toHaveCount(5);
    await expect(yourDocuments(page).filter({ hasText: "Heating" })).toContainText(/md · \d passages/);
    await expect(yourDocuments(page).filter({ hasText: "Nebel" })).toContainText("keyword search only: not English");
    await expect(page.getByText(/5 documents, \d+ passages\./)).toBeVisible();
  });

  test("a search result shows its headings and position in the document", async () => {
    await searchBox(page).fill("bleeding air out of a cold radiator");
    await expect(firstTitle(page)).toHaveText("Heating");
    await expect(results(page).first().locator(".place")).toHaveAccessibleName(/^\d+ % into the text$/);
    await expect(results(page).filter({ hasText: "heating.md › When a radiator stays cold" })).not.toHaveCount(0);
  });

  test("searches are filtered by kind and by document, and each filter is cleared separately", async () => {
    await searchBox(page).fill("copper tape");
    await expect(results(page)).not.toHaveCount(0);
    const kinds = () => results(page).locator(".kind").allInnerTexts();
    await expect.poll(async () => new Set(await kinds()).size).toBeGreaterThan(1);
    await page.getByRole("combobox", { name: "Kind" }).selectOption("csv");
    await expect.poll(async () => [...new Set(await kinds())]).toEqual(["csv"]);

    await yourDocuments(page).getByRole("button", { name: "Garden", exact: true }).click();
    await documentView(page).getByRole("button", { name: "Search only in this document" }).click();
    await expect(searchBox(page)).toBeFocused();
    await expect.poll(async () => [...new Set(await results(page).getByRole("heading").allInnerTexts())]).toEqual(["Garden"]);
    await page.getByRole("button", { name: "Search in all documents" }).click();
    await expect.poll(async () => new Set(await kinds()).size).toBeGreaterThan(1);
  });

  test("a document opens with a heat map, and the keyboard steps through its relevant passages", async () => {
    await searchBox(page).fill("bleeding air out of a cold radiator");
    await expect(firstTitle(page)).toHaveText("Heating");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const view = documentView(page);
    await expect(view.getByRole("heading", { name: "Heating" })).toBeVisible();
    await expect(view.getByRole("document")).toContainText("every day because of the cat".slice(10));
    const segments = view.getByRole("toolbar", { name: "Passages by relevance" }).getByRole("button");
    await expect(segments.first()).toHaveAccessibleName(/^Passage 1 of \d+, \d+ %$/);
    expect(await segments.count()).toBe(await view.locator(".stretch").count());

    const position = view.locator(".position");
    await expect(position).toHaveText(/^\d+ of \d+$/);
    const [, total] = (await position.innerText()).split(" of ").map(Number);
    expect(total).toBeGreaterThan(1);
    await expect(view.locator(".current")).toBeInViewport();
    const before = await view.locator(".current").textContent();
    await page.keyboard.press("n");
    await expect(view.locator(".current")).not.toHaveText(before ?? "");
    await expect(view.locator(".current")).toBeInViewport();
    await page.keyboard.press("k");
    await expect(view.locator(".current")).toHaveText(before ?? "");
    await view.getByRole("button", { name: "Next" }).click();
    await expect(view.locator(".current")).not.toHaveText(before ?? "");

    await page.keyboard.press("Escape");
    await expect(view).toBeHidden();
    await expect(results(page).first().getByRole("button")).toBeFocused();
  });

  test("a document is removed from the list, and the focus stays in the list", async () => {
    await page.getByRole("button", { name: "Remove Garden" }).press("Enter");
    await expect(yourDocuments(page)).toHaveCount(4);
    await expect(
      yourDocuments(page)
        .getByRole("button", { name: /^Remove/ })
        .and(page.locator(":focus")),
    ).toHaveCount(1);
  });
});

test("a long document opens at the found passage, with its whole text", async ({ page }) => {
  await openReady(page, server.url);
  const lines = Array.from(
    { length: 16_000 },
    (_, n) => `Entry ${n}: the lighthouse keeper wrote down the wind, the swell and every ship that passed.`,
  );
  lines[12_345] = "Entry 12345: a narwhal surfaced beside the pier.";
  await choose(page, { "log.txt": lines.join("\n\n") });
  await searchBox(page).fill("narwhal");
  await expect(results(page).locator("mark").first()).toHaveText("narwhal", { timeout: 60_000 });
  await results(page).first().getByRole("button").click();
  await expect(documentView(page).locator(".current")).toContainText("a narwhal surfaced", { timeout: 30_000 });
  await expect(documentView(page).locator(".current")).toBeInViewport();
  await expect(documentView(page).getByRole("document")).toContainText("Entry 15999:", { timeout: 30_000 });
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Pause" }).click();
});
