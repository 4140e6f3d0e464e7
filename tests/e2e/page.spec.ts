import { readFileSync } from "node:fs";
import { expect, type Page, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";

const library: { documents: { title: string; text: string }[] } = JSON.parse(
  readFileSync(new URL("../../web/library/documents.json", import.meta.url), "utf8"),
);

let server: ServerProcess;
test.beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "1" });
});
test.afterAll(() => server.stop());

const searchBox = (page: Page) => page.getByRole("searchbox", { name: "Search" });
const results = (page: Page) => page.getByRole("list", { name: "Results" }).getByRole("listitem");
const firstTitle = (page: Page) => results(page).first().getByRole("heading");
const status = (page: Page) => page.getByRole("status");
const yourTexts = (page: Page) => page.getByRole("list", { name: "Your texts" }).getByRole("listitem");

/** Opens the page on one WASM worker, which every browser has. */
async function open(page: Page, { at = server, query = "device=wasm&workers=1" } = {}): Promise<void> {
  await page.goto(`${at.url}/?${query}`);
}

async function openReady(page: Page, options?: Parameters<typeof open>[1]): Promise<void> {
  await open(page, options);
  await expect(status(page)).toContainText("Ready on", { timeout: 60_000 });
}

/** Keeps requests for the model waiting, until they are let go. */
async function holdModel(page: Page, files = "**/models/**"): Promise<() => void> {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await page.context().route(files, async (route) => {
    await gate;
    await route.continue();
  });
  return letGo;
}

async function paste(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Text to add" }).fill(text);
  await page.getByRole("button", { name: "Add", exact: true }).click();
}

/** Drops files on the page, as a person does from a folder. */
async function drop(page: Page, files: readonly { name: string; text: string }[]): Promise<void> {
  const dataTransfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, text } of files) transfer.items.add(new File([text], name));
    return transfer;
  }, files);
  await page.dispatchEvent("main", "dragover", { dataTransfer });
  await page.dispatchEvent("main", "drop", { dataTransfer });
}

test("before the model is there, an example is answered by meaning and a typed query by words", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page);
  await expect(searchBox(page)).toBeFocused();
  await page.getByRole("button", { name: "is this email a scam" }).click();
  await expect(firstTitle(page)).toHaveText("Is this message really from the bank?");
  await expect(status(page)).toContainText("by vectors that came with the page");
  await expect(status(page)).toContainText("Loading the model");

  await searchBox(page).fill("elderly pet wanting adoption");
  await expect(status(page)).toContainText("by words alone. Loading the model");

  letModelCome();
  await expect(firstTitle(page)).toHaveText("Doris seeks a quiet sofa", { timeout: 60_000 });
  await expect(status(page)).toContainText(/\d+ passages? in \d+ ms on WASM/);
});

test("a query finds its answer first, with which it shares no word", async ({ page }) => {
  const query = "quit feeling afraid aboard planes";
  await openReady(page);
  await searchBox(page).fill(query);
  await expect(firstTitle(page)).toHaveText("Calm at 11,000 metres");
  const answer = library.documents.find(({ title }) => title === "Calm at 11,000 metres");
  const words = (text = "") => text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const inAnswer = new Set([...words(answer?.title), ...words(answer?.text)]);
  expect(inAnswer.size).toBeGreaterThan(50);
  expect(words(query).filter((word) => inAnswer.has(word))).toEqual([]);
});

test("shows scores, calls weak matches weak, and shows a passage in its document", async ({ page }) => {
  await openReady(page);
  await searchBox(page).fill("elevator in an apartment house");
  await expect(firstTitle(page)).toHaveText("The lift at Number Forty");
  await expect(results(page).first()).toContainText(/\d+ %/);

  await searchBox(page).fill("quantum chromodynamics");
  await expect(page.getByText("Nothing here matches well")).toBeVisible();
  for (const result of await results(page).all()) await expect(result).toContainText(/\d+ %, weak/);

  await page.getByRole("button", { name: "a haunted elevator" }).click();
  await results(page).first().getByText("Read on").click();
  const passage = await results(page).first().locator(".passage").textContent();
  await expect(results(page).first().locator("mark")).toHaveText(passage ?? "");

  await paste(page, "Crumbs under the toaster.");
  await expect(yourTexts(page)).toContainText("1 passage");
  await page.waitForTimeout(1000);
  await expect(results(page).first().locator("mark")).toBeVisible();
});

test("a pasted text is searched with the others until it is removed", async ({ page }) => {
  await openReady(page);
  await paste(page, "Notes on the greenhouse\n\nThe tomatoes by the south wall ripened two weeks before those by the door.");
  await expect(yourTexts(page)).toContainText("1 passage");
  await searchBox(page).fill("greenhouse crops");
  await expect(firstTitle(page)).toHaveText("Notes on the greenhouse");

  await page.getByRole("button", { name: "Remove Notes on the greenhouse" }).click();
  await expect(yourTexts(page)).toHaveCount(0);
  await expect(firstTitle(page)).not.toHaveText("Notes on the greenhouse");
});

test("a text pasted before the model is there is searched as soon as it is", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page);
  await paste(page, "The harbour master moved the yellow buoy forty metres north.");
  await expect(yourTexts(page)).toContainText("Waits for the model");
  letModelCome();
  await expect(yourTexts(page)).toContainText("1 passage", { timeout: 60_000 });
  await searchBox(page).fill("a floating marker was relocated");
  await expect(results(page).first()).toContainText("yellow buoy");
});

test("dropped and chosen files are searched, and those that cannot be read are named", async ({ page }) => {
  await openReady(page);
  await drop(page, [
    { name: "owl.md", text: "# Owl\n\nThe barn owl hunts voles over the meadow after dark." },
    { name: "scan.pdf", text: "%PDF" },
  ]);
  await expect(page.getByRole("alert")).toHaveText("scan.pdf is neither .txt nor .md.");
  await page.getByLabel("Choose files").setInputFiles([
    { name: "kite.txt", mimeType: "text/plain", buffer: Buffer.from("The red kite over the hill lost a tail feather.") },
    { name: "broken.txt", mimeType: "text/plain", buffer: Buffer.from([0xff, 0xfe, 0xfd]) },
  ]);
  await expect(page.getByRole("alert")).toHaveText("broken.txt is not text in UTF-8.");
  await expect(yourTexts(page)).toHaveCount(2);
  await searchBox(page).fill("nocturnal bird of prey");
  await expect(firstTitle(page)).toHaveText("owl");
});

test("once it is ready, the server can be stopped and the search goes on", async ({ page }) => {
  const ownServer = await ServerProcess.start({ WORKERS: "1" });
  try {
    await openReady(page, { at: ownServer });
    await ownServer.stop("SIGKILL");
    await expect(page.request.get(ownServer.url)).rejects.toThrow();

    await searchBox(page).fill("dessert containing citrus");
    await expect(firstTitle(page)).toHaveText("Lemon drizzle cake");
    await paste(page, "Grandfather mended clocks in the attic.");
    await searchBox(page).fill("an old man repaired timepieces");
    await expect(results(page).first()).toContainText("mended clocks");

    await page.getByRole("button", { name: "Compare" }).click();
    await expect(page.getByRole("region", { name: "One text, one vector" })).toContainText("No server answers at /embed. That is fine");
  } finally {
    await ownServer.stop("SIGKILL");
  }
});

test("the page's vector of a text and the server's agree", async ({ page }) => {
  await openReady(page);
  const panel = page.getByRole("region", { name: "One text, one vector" });
  await panel.getByRole("textbox").fill("Any text will do: 42 naïve cafés.");
  await panel.getByRole("button", { name: "Compare" }).click();
  const cosine = panel.locator(".cosine strong");
  await expect(cosine).toHaveText(/^[01]\.\d{4}$/);
  expect(Number(await cosine.textContent())).toBeGreaterThanOrEqual(0.995);
  await expect(panel.getByRole("img")).toBeVisible();
});

test("nothing is asked of another origin, and nothing is typed into an address", async ({ page }) => {
  const urls: URL[] = [];
  const problems: string[] = [];
  page.context().on("request", (request) => urls.push(new URL(request.url())));
  page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
  page.on("pageerror", (error) => problems.push(error.message));
  await openReady(page);
  await searchBox(page).fill("sunken vessel");
  await expect(firstTitle(page)).toHaveText("The Vasa, 1628");
  await paste(page, "A secret recipe with juniper.");
  await expect(yourTexts(page)).toContainText("1 passage");
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.locator(".cosine")).toBeVisible();

  const fetched = urls.filter(({ protocol }) => protocol !== "data:");
  expect(fetched.some(({ pathname }) => pathname.endsWith("/runtimes/wasm.bin"))).toBe(true);
  expect(fetched.map(({ origin }) => origin)).toEqual(fetched.map(() => server.url));
  expect(decodeURIComponent(fetched.join(" "))).not.toMatch(/vessel|juniper/);
  expect(problems).toEqual([]);
});

test("?device=wasm&workers=2 is honoured, and WebGPU that cannot be had is refused", async ({ page }) => {
  await openReady(page, { query: "device=wasm&workers=2" });
  await expect(status(page)).toContainText("Ready on WASM with 2 workers");
  await open(page, { query: "device=webgpu" });
  await expect(status(page)).toContainText(/WebGPU/, { timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
});

test("the status tells the download in bytes", async ({ page }) => {
  const letRestCome = await holdModel(page, "**/models/**/weights-1.bin");
  await open(page);
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

test("the status tells what comes from the cache, and does not call that a download", async ({ page }) => {
  await openReady(page);
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

test("says so where the browser does not keep the model", async ({ page }) => {
  await page.context().route("**/search-worker-*.js", async (route) => {
    const response = await route.fetch();
    const full = 'Cache.prototype.put = () => Promise.reject(new DOMException("Quota exceeded.", "QuotaExceededError"));';
    await route.fulfill({ response, body: full + (await response.text()) });
  });
  await openReady(page);
  await expect(status(page)).toContainText("This browser has not kept the model: the next visit will download it again.");
});

test("a download that fails is told, and can be tried again", async ({ page }) => {
  await page.context().route("**/models/**/weights-1.bin", (route) => route.abort());
  await open(page);
  const again = page.getByRole("button", { name: "Try again" });
  await expect(again).toBeVisible({ timeout: 60_000 });
  await expect(status(page)).toContainText("weights-1.bin");
  await page.context().unroute("**/models/**/weights-1.bin");
  await again.click();
  await expect(status(page)).toContainText("Ready on WASM", { timeout: 60_000 });
});

test("a worker that cannot be had is told", async ({ page }) => {
  await page.context().route("**/search-worker-*.js", (route) => route.abort());
  await open(page);
  await expect(status(page)).toContainText("The search could not be started");
});

test("of queries that overtake each other only the last is answered", async ({ page }) => {
  const letModelCome = await holdModel(page);
  await open(page);
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

test("vectors of another model are not trusted: the built-in documents are embedded anew", async ({ page }) => {
  await page.context().route("**/library-*.json", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), fingerprint: "0".repeat(64) } });
  });
  await page.context().route("**/vectors-*.bin", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: Buffer.from(await response.body()).fill(0) });
  });
  await openReady(page);
  await page.getByRole("button", { name: "is this email a scam" }).click();
  await expect(firstTitle(page)).toHaveText("Is this message really from the bank?");
});

test("fits a narrow screen, and works by keyboard alone", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openReady(page);
  await page.keyboard.type("retirement savings");
  await expect(firstTitle(page)).toHaveText("What is a workplace pension?");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "the heating does not work upstairs" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(firstTitle(page)).toHaveText("How to bleed a radiator");
  await page.keyboard.press("/");
  await expect(searchBox(page)).toBeFocused();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});
