import { expect, type Page, test } from "playwright/test";

const note = (i: number, paragraphs = 1) =>
  Array.from({ length: paragraphs }, (_, j) => `Note ${i}, part ${j}. The lamp in room ${i + 7 * j} was left on again last night.`).join(
    "\n\n",
  );

/** 60 files that take seconds to read. */
const longNotes = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}.md`, note(i, 400)]));

async function open(page: Page): Promise<void> {
  await page.goto("/");
  await page.waitForFunction(() => window.search);
}

test.beforeEach(({ page }) => open(page));

/**
 * Writes files to a folder; null removes one. The browser's own file system stands for the disk: the handles are the same, and need no
 * permission.
 */
const change = (page: Page, folder: string, changes: Record<string, string | null>) =>
  page.evaluate(
    async ([name, changes]) => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
      for (const [file, text] of Object.entries(changes)) {
        if (text === null) {
          await folder.removeEntry(file);
          continue;
        }
        const writable = await (await folder.getFileHandle(file, { create: true })).createWritable();
        await writable.write(text);
        await writable.close();
      }
    },
    [folder, changes] as const,
  );

/** Connects a folder, and stops or disconnects once some of its files are read and most are not. Resolves when all have ended. */
const connect = (page: Page, folder: string, meanwhile: "stopReading" | "disconnectFolder" | null = null) =>
  page.evaluate(
    async ([name, meanwhile]) => {
      const id = window.state.collections[0]?.id ?? "";
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name);
      const connected = window.search.connectFolder(id, folder);
      if (meanwhile) {
        await window.until(({ collections: [first] }) => (first?.indexing?.files?.done ?? 0) > 0);
        await window.search[meanwhile](id);
      }
      await connected;
    },
    [folder, meanwhile] as const,
  );

const scan = (page: Page) => page.evaluate(async () => window.search.refreshFolder(window.state.collections[0]?.id ?? ""));
const paths = (page: Page) =>
  page.evaluate(async () => (await window.search.documents(window.state.collections[0]?.id ?? "")).map(({ id }) => id));
const collection = async (page: Page) => (await page.evaluate(() => window.search.state())).collections[0];

test("changes in a followed folder (new, changed, renamed or removed files) are searchable after the next scan", async ({ page }) => {
  await change(page, "diary", { "monday.md": note(1), "tuesday.md": note(2), ".hidden.md": note(3), "notes.xyz": "what is this" });
  await connect(page, "diary");
  expect(await paths(page)).toEqual(["diary/monday.md", "diary/tuesday.md"]);
  expect((await collection(page))?.problems).toMatchObject([{ path: "diary/notes.xyz" }]);

  await change(page, "diary", { "monday.md": null, "moved.md": note(1), "tuesday.md": `${note(2)} And it rained cats and dogs.` });
  await open(page);
  await scan(page);
  expect(await paths(page)).toEqual(["diary/moved.md", "diary/tuesday.md"]);
  const found = await page.evaluate(async () => {
    const answer = await window.search.search(window.state.collections[0]?.id ?? "", "rained", {
      mode: "keyword",
      filter: { builtIn: false },
    });
    return answer?.hits.map(({ id }) => id);
  });
  expect(found).toEqual(["diary/tuesday.md"]);
});

test("files of a followed folder that were not read because reading was stopped are read by the next scan", async ({ page }) => {
  await change(page, "diary", longNotes);
  await connect(page, "diary", "stopReading");
  expect((await paths(page)).length).toBeLessThan(60);
  await scan(page);
  expect(await paths(page)).toHaveLength(60);
});

test("a folder that is disconnected while it is read stays disconnected, and reading stops", async ({ page }) => {
  await change(page, "diary", longNotes);
  await connect(page, "diary", "disconnectFolder");
  expect(await collection(page)).toMatchObject({ folder: null });
  expect((await paths(page)).length).toBeLessThan(60);
  await open(page);
  expect(await collection(page)).toMatchObject({ folder: null });
});

test("a folder that is connected while another is read is followed in its place", async ({ page }) => {
  await change(page, "diary", longNotes);
  await change(page, "letters", { "a.md": note(1) });
  const diary = connect(page, "diary");
  await page.evaluate(() => window.until(({ collections: [first] }) => (first?.indexing?.files?.done ?? 0) > 0));
  await Promise.all([diary, connect(page, "letters")]);
  expect((await collection(page))?.folder?.name).toBe("letters");
  expect(await paths(page)).toContain("letters/a.md");
});
