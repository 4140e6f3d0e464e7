import { readFileSync } from "node:fs";
import { expect, type Page, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";
import {
  announcement,
  documentView,
  firstTitle,
  holdModel,
  open,
  openReady,
  paste,
  results,
  searchBox,
  status,
  yourDocuments,
} from "./visitor.ts";

const library: { documents: { title: string; text: string }[] } = JSON.parse(
  readFileSync(new URL("../../web/library/documents.json", import.meta.url), "utf8"),
);

let server: ServerProcess;
test.beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "1" });
});
test.afterAll(() => server.stop());

test("a query finds an answer first that shares no word with it", async ({ page }) => {
  const query = "quit feeling afraid aboard planes";
  await openReady(page, server.url);
  await searchBox(page).fill(query);
  await expect(firstTitle(page)).toHaveText("Calm at 11,000 metres");
  const answer = library.documents.find(({ title }) => title === "Calm at 11,000 metres");
  const words = (text = "") => text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const inAnswer = new Set([...words(answer?.title), ...words(answer?.text)]);
  expect(inAnswer.size).toBeGreaterThan(50);
  expect(words(query).filter((word) => inAnswer.has(word))).toEqual([]);
});

test("search results show scores and mark weak matches", async ({ page }) => {
  await openReady(page, server.url);
  await searchBox(page).fill("elevator in an apartment house");
  await expect(firstTitle(page)).toHaveText("The lift at Number Forty");
  await expect(results(page).first()).toContainText(/\d+ %/);

  await searchBox(page).fill("quantum chromodynamics");
  await expect(page.getByText("No good match")).toBeVisible();
  for (const result of await results(page).all()) await expect(result).toContainText(/\d+ %, weak/);

  // The first has one of the words, another one comes nearer to what is meant.
  await searchBox(page).fill("how to get rid of moths");
  await expect(results(page).first()).toContainText(/\d+ %, weak/);
  await expect(results(page).filter({ hasText: "Defending lettuces against slugs" })).toContainText(/[5-9]\d %/);
  await expect(page.getByText("No good match")).toBeHidden();
});

test("once the page is ready, searches work without the server", async ({ page }) => {
  const ownServer = await ServerProcess.start({ WORKERS: "1" });
  try {
    await openReady(page, ownServer.url);
    await ownServer.stop("SIGKILL");
    await expect(page.request.get(ownServer.url)).rejects.toThrow();

    await searchBox(page).fill("dessert containing citrus");
    await expect(firstTitle(page)).toHaveText("Lemon drizzle cake");
    await paste(page, "Grandfather mended clocks in the attic.");
    await searchBox(page).fill("an old man repaired timepieces");
    await expect(results(page).first()).toContainText("mended clocks");

    await page.getByText("One text, one vector").click();
    await page.getByRole("button", { name: "Compare" }).click();
    await expect(page.getByRole("region", { name: "One text, one vector" })).toContainText(
      "No server answers at /embed. The search does not need one",
    );
  } finally {
    await ownServer.stop("SIGKILL");
  }
});

test("the page and the server give a text the same vector", async ({ page }) => {
  await openReady(page, server.url);
  await page.getByText("One text, one vector").click();
  const panel = page.getByRole("region", { name: "One text, one vector" });
  await panel.getByRole("textbox").fill("Any text will do: 42 naïve cafés.");
  await panel.getByRole("button", { name: "Compare" }).click();
  const cosine = panel.locator(".cosine strong");
  await expect(cosine).toHaveText(/^[01]\.\d{4}$/);
  expect(Number(await cosine.textContent())).toBeGreaterThanOrEqual(0.995);
  await expect(panel.getByRole("img")).toBeVisible();
});

test("the page requests nothing from another origin and puts no typed text into a URL", async ({ page }) => {
  const urls: URL[] = [];
  const problems: string[] = [];
  page.context().on("request", (request) => urls.push(new URL(request.url())));
  page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
  page.on("pageerror", (error) => problems.push(error.message));
  await openReady(page, server.url);
  await searchBox(page).fill("sunken vessel");
  await expect(firstTitle(page)).toHaveText("The Vasa, 1628");
  await paste(page, "A secret recipe with juniper.");
  await expect(yourDocuments(page)).toContainText("1 passage");
  await page.getByText("One text, one vector").click();
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.locator(".cosine")).toBeVisible();

  const fetched = urls.filter(({ protocol }) => protocol !== "data:");
  expect(fetched.some(({ pathname }) => pathname.endsWith("/engine.bin"))).toBe(true);
  expect(fetched.filter(({ pathname }) => /\/runtimes\/|\.onnx$/.test(pathname))).toEqual([]);
  expect(fetched.map(({ origin }) => origin)).toEqual(fetched.map(() => server.url));
  expect(decodeURIComponent(fetched.join(" "))).not.toMatch(/vessel|juniper/);
  expect(problems).toEqual([]);
});

test("only the last of several rapid queries is answered", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page, server.url);
  await page.evaluate(() => {
    const list = document.querySelector("#results") as Element;
    const seen: string[] = [];
    new MutationObserver(() => seen.push(list.querySelector("h3")?.textContent ?? "")).observe(list, { childList: true });
    Object.assign(window, { seen });
  });
  for (const query of ["dessert containing citrus", "planet rotating slowly", "sunken vessel"]) {
    await searchBox(page).fill(query);
    // Longer than typing must rest: each of them is really asked.
    await page.waitForTimeout(300);
  }
  // So far there were answers by words.
  await page.evaluate(() => Reflect.get(window, "seen").splice(0));
  letModelCome();
  await expect(firstTitle(page)).toHaveText("The Vasa, 1628", { timeout: 60_000 });
  expect(await page.evaluate(() => Reflect.get(window, "seen"))).toEqual(["The Vasa, 1628"]);
});

test("the page fits a narrow screen and is operable by keyboard", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openReady(page, server.url);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("radio", { name: "Hybrid" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "the heating does not work upstairs" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(firstTitle(page)).toHaveText("How to bleed a radiator");
  await page.keyboard.press("/");
  await expect(searchBox(page)).toBeFocused();
  await page.keyboard.type("retirement savings");
  await expect(firstTitle(page)).toHaveText("What is a workplace pension?");

  await searchBox(page).fill("elderly pet wanting adoption");
  await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa");
  await page.keyboard.press("ArrowDown");
  await expect(results(page).nth(0).getByRole("button")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(results(page).nth(1).getByRole("button")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await expect(documentView(page)).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(results(page).nth(0).getByRole("button")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(searchBox(page)).toBeFocused();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});

test("a key pressed right after a document closes moves the focus", async ({ page }) => {
  await openReady(page, server.url);
  await searchBox(page).fill("elderly pet wanting adoption");
  await results(page).nth(0).getByRole("button").click();
  await expect(documentView(page)).toBeVisible();
  // In one task, so that the key arrives before the dialog's close event.
  await page.evaluate(() => {
    document.querySelector<HTMLDialogElement>("dialog[open]")?.close();
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true, cancelable: true }));
  });
  await page.waitForTimeout(100);
  await expect(searchBox(page)).toBeFocused();
});

test.describe("search results", () => {
  let page: Page;
  test.beforeAll(async ({ browser }) => {
    page = await browser.newPage();
    await openReady(page, server.url);
  });
  test.beforeEach(async () => {
    await searchBox(page).fill("");
    await page.getByRole("radio", { name: "Hybrid" }).check();
  });
  test.afterAll(() => page.close());

  test("a quoted phrase must match exactly, and an excluded word must not occur", async () => {
    const texts = () => results(page).locator(".passage").allInnerTexts();
    await searchBox(page).fill('"second breakfast"');
    await expect(results(page)).toHaveCount(1);
    await expect(results(page).locator("mark")).toHaveText(["second", "breakfast"]);
    await searchBox(page).fill("bread flour -sourdough");
    await expect(firstTitle(page)).toHaveText("Overnight bread in a lidded pot");
    for (const text of await texts()) expect(text).not.toMatch(/sourdough/i);
  });

  test("the mode selects semantic, keyword or hybrid search", async () => {
    await searchBox(page).fill("elderly pet wanting adoption");
    await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa");
    await page.getByRole("radio", { name: "Keyword" }).check();
    await expect(status(page)).toContainText("by keyword only");
    for (const score of await results(page).locator(".score").all()) await expect(score).not.toContainText("%");
    await page.keyboard.press("ArrowLeft");
    await expect(page.getByRole("radio", { name: "Semantic" })).toBeChecked();
    await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa");
  });

  test("query words and the closest sentence are marked in a result, with one legend", async () => {
    await searchBox(page).fill("deaf cat needs a home");
    await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa");
    await expect(results(page).first().locator("mark")).toHaveText(["deaf"]);
    const closest = results(page).first().locator(".closest");
    await expect(closest).toHaveCount(1);
    const passage = (await results(page).first().locator(".passage").textContent()) ?? "";
    const sentence = (await closest.textContent()) ?? "";
    expect(passage).toContain(sentence);
    expect(sentence.length).toBeLessThan(passage.length);
    await expect(page.getByText("Closest sentence")).toHaveCount(1);
    await expect(page.getByText("Closest sentence")).toBeVisible();

    await page.getByRole("radio", { name: "Keyword" }).check();
    await expect(status(page)).toContainText("by keyword only");
    await expect(results(page).locator("mark")).not.toHaveCount(0);
    await expect(results(page).locator(".closest")).toHaveCount(0);
    await expect(page.getByText("Closest sentence")).toBeHidden();
  });

  test('"Show more" appends results below the existing ones', async () => {
    await page.getByRole("radio", { name: "Keyword" }).check();
    await searchBox(page).fill("the water and a house or time");
    await expect(results(page)).toHaveCount(8);
    const before = await results(page).getByRole("heading").allInnerTexts();
    await page.getByRole("button", { name: "Show more" }).click();
    await expect(results(page)).toHaveCount(24);
    expect((await results(page).getByRole("heading").allInnerTexts()).slice(0, 8)).toEqual(before);
    await expect(results(page).nth(7).getByRole("button")).toBeFocused();
  });

  test("screen readers are told the settled results, not intermediate ones", async () => {
    await page.evaluate(() => {
      const told: string[] = [];
      const region = document.querySelector("[role=status]") as Element;
      new MutationObserver(() => told.push(region.textContent ?? "")).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      });
      Object.assign(window, { told });
    });
    await searchBox(page).pressSequentially("sunken vessel", { delay: 60 });
    await expect(announcement(page)).toContainText("for sunken vessel. First: The Vasa, 1628.");
    expect(await page.evaluate(() => Reflect.get(window, "told"))).toHaveLength(1);
  });
});
