import { expect, type Page } from "playwright/test";

/** What the tests of the search page have in common: where things are, and what a person does. */

export const searchBox = (page: Page) => page.getByRole("searchbox", { name: "Search" });
export const results = (page: Page) => page.getByRole("list", { name: "Results" }).getByRole("listitem");
export const firstTitle = (page: Page) => results(page).first().getByRole("heading");
/** The line that tells what runs and what was found. */
export const status = (page: Page) => page.locator("#status");
/** What screen readers are told. */
export const announcement = (page: Page) => page.getByRole("status");
export const yourDocuments = (page: Page) => page.getByRole("list", { name: "Your documents" }).getByRole("listitem");
export const collection = (page: Page) => page.getByRole("combobox", { name: "Collection" });
export const documentView = (page: Page) => page.locator("#document-view");

/** Opens the page on one WASM worker, which every browser has. */
export async function open(page: Page, url: string, query = "device=wasm&workers=1"): Promise<void> {
  await page.goto(`${url}/?${query}`);
}

export async function openReady(page: Page, url: string, query?: string): Promise<void> {
  await open(page, url, query);
  await expect(status(page)).toContainText("Ready on", { timeout: 60_000 });
}

/** Keeps requests for the model waiting, until they are let go. */
export async function holdModel(page: Page, files = "**/models/**"): Promise<() => void> {
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

/** A fingerprint that no model here has. */
export const otherFingerprint = "0".repeat(64);

/**
 * Makes all that is kept look as if an earlier release had embedded it, with another model: the records name its fingerprint,
 * all vectors are alike and mean nothing, and the browser has not kept the model of this release.
 */
export async function keepAsOfOtherModel(page: Page): Promise<void> {
  await page.evaluate(async (fingerprint) => {
    const [{ name = "" } = {}] = await indexedDB.databases();
    const opening = indexedDB.open(name);
    const database = await new Promise<IDBDatabase>((resolve) => {
      opening.onsuccess = () => resolve(opening.result);
    });
    const transaction = database.transaction(["collections", "vectors"], "readwrite");
    const rewrite = (store: string, change: (value: Record<string, unknown>) => void) => {
      const request = transaction.objectStore(store).openCursor();
      request.onsuccess = () => {
        if (!request.result) return;
        const value = request.result.value;
        change(value);
        request.result.update(value);
        request.result.continue();
      };
    };
    rewrite("collections", (record) => Object.assign(record, { fingerprint }));
    rewrite("vectors", ({ codes }) => codes instanceof Uint8Array && codes.fill(1));
    await new Promise((resolve) => {
      transaction.oncomplete = resolve;
    });
    database.close();
    for (const key of await caches.keys()) await caches.delete(key);
  }, otherFingerprint);
}

export async function paste(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Text to add" }).fill(text);
  await page.getByRole("button", { name: "Add", exact: true }).click();
}

/** Chooses files that are written here. */
export async function choose(page: Page, files: Readonly<Record<string, string>>): Promise<void> {
  const chosen = Object.entries(files).map(([name, text]) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) }));
  await page.getByLabel("Choose files").setInputFiles(chosen);
}

/** Drops files and folders of the disk on the page, as a person does. */
export async function drop(page: Page, paths: readonly string[]): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const)
    await devtools.send("Input.dispatchDragEvent", { type, x: 200, y: 300, data });
  await devtools.detach();
}

/** Waits until meaning finds all that was added. */
export async function indexed(page: Page): Promise<void> {
  await expect(yourDocuments(page)).not.toHaveCount(0);
  await expect(page.getByRole("group", { name: "Progress" })).toBeHidden({ timeout: 90_000 });
}

/** Notes of a person who has a house, a garden and a dog. */
export const notes: Readonly<Record<string, string>> = {
  "heating.md": [
    "# Heating",
    "The boiler stands in the cupboard behind the kitchen door and was serviced in October.",
    "## When a radiator stays cold",
    `It is nearly always air. ${"Hold a cloth under the valve and open it by half a turn until water comes instead of air. ".repeat(6)}`,
    "## The thermostat",
    `It is set to nineteen degrees on workdays. ${"On Sundays it stays warm all day because of the cat, who sleeps on the shelf above. ".repeat(6)}`,
  ].join("\n\n"),
  "garden.md": "# Garden\n\nThe slugs come with the first warm rain. Copper tape around the pots keeps them away from the lettuce.",
  "walks.txt": "The dog likes the path along the canal, where the herons stand. On rainy days we only go round the block.",
  "prices.csv": "item,price\nlettuce seeds,2.40\ncopper tape,7.90\n",
  "tagebuch.txt":
    "Am Morgen lag Nebel im Tal, und der Weg zur Hütte war noch nass vom Regen der Nacht. Wir stiegen langsam, weil die Rucksäcke schwer waren.",
};
