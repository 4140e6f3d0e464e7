import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, expect, type Page, test } from "playwright/test";
import type { SearchState } from "../../web/search/service.ts";
import { CommandLine } from "../contract/command-line.ts";
import { holdModel, keepAsOfOtherModel, otherFingerprint } from "./visitor.ts";

const subjects = ["the tide", "sourdough bread", "an old cello", "a cold radiator", "the night train", "garden snails"];
/** Notes in English, no two passages of which are alike. */
const note = (i: number, paragraphs = 1) =>
  Array.from(
    { length: paragraphs },
    (_, j) =>
      `Note ${i}, part ${j}. I thought about ${subjects[(i + j) % subjects.length]} for the ${i + 7 * j}th time, and wrote it down before breakfast.`,
  ).join("\n\n");
const notes = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ path: `notes/${String(from + i).padStart(3, "0")}.md`, text: note(from + i) }));

const firstCollection = (page: Page) => page.evaluate(async () => (await window.search.state()).collections[0]?.id ?? "");

/** Adds files to the first collection; resolves when words find them. */
async function addFiles(page: Page, files: readonly { path: string; text: string }[]): Promise<void> {
  await page.evaluate(async (files) => {
    const [collection] = (await window.search.state()).collections;
    await window.search.addFiles(
      collection?.id ?? "",
      files.map(({ path, text }) => ({ path, file: new File([text], path.split("/").at(-1) ?? "") })),
    );
  }, files);
}

async function found(page: Page, query: string, options: { mode?: "hybrid" | "semantic" | "keyword" } = {}): Promise<string[]> {
  return page.evaluate(
    async ([query, options]) => {
      const [collection] = (await window.search.state()).collections;
      const answer = await window.search.search(collection?.id ?? "", query, { ...options, filter: { builtIn: false } });
      return answer?.hits.map(({ id }) => id) ?? [];
    },
    [query, options] as const,
  );
}

/** The first collection. Asks for the state: the page is told of changes a moment later. */
const collection = async (page: Page) => (await page.evaluate(() => window.search.state())).collections[0];
/** Waits until everything is embedded. */
const embedded = (page: Page) =>
  page.evaluate(async () => {
    for (;;) {
      const state = await window.search.state();
      const [first] = state.collections;
      if (first?.indexing === null && first.coverage.done === first.coverage.total) return state;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
const ready = (page: Page) => page.evaluate(() => window.until(({ model }) => model.phase === "ready"));

/** Opens the page; what was kept is there when this resolves. */
async function open(page: Page): Promise<void> {
  await page.goto("/");
  await page.waitForFunction(() => window.search);
  await page.evaluate(async () => window.search.documents(window.state.collections[0]?.id ?? ""));
}

/** Ends the processes of all tabs, as the system does when memory is short. */
async function killTabs(context: BrowserContext): Promise<void> {
  const devtools = await context.browser()?.newBrowserCDPSession();
  const { processInfo = [] } = (await devtools?.send("SystemInfo.getProcessInfo")) ?? {};
  for (const { type, id } of processInfo) if (type === "renderer") process.kill(id, "SIGKILL");
  await devtools?.detach();
}

test.beforeEach(({ page }) => open(page));

test("added documents are searchable by keyword before the model loads, by meaning once embedded, and persist across a reload", async ({
  page,
}) => {
  await addFiles(page, notes(48));
  expect(await found(page, "snails", { mode: "keyword" })).toContain("notes/005.md");
  await embedded(page);
  const states: SearchState[] = await page.evaluate(() => window.states);
  const coverages = states.map(({ collections }) => collections[0]?.coverage.done ?? 0);
  expect(new Set(coverages).size).toBeGreaterThan(2);
  expect(coverages).toEqual([...coverages].sort((a, b) => a - b));
  expect(await found(page, "stringed instrument", { mode: "semantic" })).toContain("notes/002.md");

  await open(page);
  expect(await found(page, "snails", { mode: "keyword" })).toContain("notes/005.md");
  expect((await collection(page))?.coverage).toEqual({ done: 48, total: 48 });
  expect(await found(page, "stringed instrument", { mode: "semantic" })).toContain("notes/002.md");
});

test("a tab killed while embedding leaves nothing half-written, and the next tab resumes", async ({ page, context }) => {
  await addFiles(page, notes(64));
  await ready(page);
  let kept = 0;
  let current = page;
  for (let kill = 1; kill <= 3; kill++) {
    await current.evaluate((least) => window.until(({ collections: [first] }) => (first?.coverage.done ?? 0) > least), kept);
    const killed = current.waitForEvent("crash");
    await killTabs(context);
    await killed;
    current = await context.newPage();
    await open(current);
    await found(current, "snails", { mode: "keyword" });
    const state = await collection(current);
    expect(state).toMatchObject({ documents: 64, passages: 64 });
    expect(state?.coverage.done).toBeGreaterThanOrEqual(kept);
    kept = state?.coverage.done ?? 0;
  }
  expect(kept).toBeGreaterThan(0);
  await embedded(current);
  expect((await collection(current))?.coverage).toEqual({ done: 64, total: 64 });
  expect(new Set(await found(current, "the tide"))).not.toEqual(new Set());
});

test("one of several tabs runs the encoder for all, and another takes over when it closes", async ({ page, context }) => {
  await addFiles(page, notes(12));
  await embedded(page);
  const second = await context.newPage();
  await open(second);
  // Its search worker alone: encoders are the first tab's.
  expect(second.workers().map((worker) => new URL(worker.url()).pathname.replace(/-[\w-]{8}\.js$/, ""))).toEqual(["/assets/search-worker"]);
  expect(await found(second, "stringed instrument", { mode: "semantic" })).toContain("notes/002.md");
  await addFiles(second, [{ path: "added/second.md", text: "The lighthouse keeper counts gulls in the fog." }]);
  await expect.poll(() => found(page, "seabirds near a beacon", { mode: "semantic" })).toContain("added/second.md");
  await expect.poll(() => second.evaluate(() => window.state.collections[0]?.documents)).toBe(13);

  const asked = second.evaluate(async () => {
    const [first] = window.state.collections;
    const ids: (string | undefined)[] = [];
    for (let i = 0; i < 40; i++)
      ids.push(
        (await window.search.search(first?.id ?? "", `lighthouse gulls ${"o".repeat(i)}`, { filter: { builtIn: false } }))?.hits[0]?.id,
      );
    return ids;
  });
  await page.close();
  expect(await asked).toEqual(Array(40).fill("added/second.md"));
  await ready(second);
  expect(await found(second, "stringed instrument", { mode: "semantic" })).toContain("notes/002.md");
});

test("only changed passages of a file are embedded again; removing and renaming files embeds nothing", async ({ page }) => {
  const paragraphs = Array.from({ length: 12 }, (_, i) => `${note(i)} ${note(i + 20)} ${note(i + 40)} ${note(i + 60)}`);
  await addFiles(page, [{ path: "a.md", text: paragraphs.join("\n\n") }]);
  await ready(page);
  const before = (await embedded(page)).collections[0]?.coverage.total ?? 0;
  expect(before).toBeGreaterThan(8);
  const id = await firstCollection(page);
  await page.evaluate((id) => window.search.pause(id), id);

  await addFiles(page, [{ path: "b.md", text: paragraphs.join("\n\n") }]);
  await page.evaluate((id) => window.search.remove(id, ["a.md"]), id);
  expect((await page.evaluate(() => window.search.state())).collections[0]?.coverage).toEqual({ done: before, total: before });

  paragraphs[11] = "Something else entirely: the ferry to the island leaves at noon.";
  await addFiles(page, [{ path: "b.md", text: paragraphs.join("\n\n") }]);
  const { done, total } = (await page.evaluate(() => window.search.state())).collections[0]?.coverage ?? { done: 0, total: 0 };
  expect(total - done).toBeGreaterThan(0);
  expect(total - done).toBeLessThanOrEqual(2);
});

test("files added in parts form one addition: counted together, each rejection reported, the shortest embedded first", async ({ page }) => {
  const paragraphs = Array.from({ length: 300 }, (_, i) => note(i, 3)).join("\n\n");
  await page.evaluate(
    async ({ long, short }) => {
      const id = (await window.search.state()).collections[0]?.id ?? "";
      const add = (path: string, text: string) => window.search.addFiles(id, [{ path, file: new File([text], path) }]);
      const parts = [add("a.exe", "?"), add("long.md", long), add("b.exe", "?"), add("short.md", short), add("short.txt", `${short} Too.`)];
      await Promise.all(parts);
    },
    { long: paragraphs, short: note(77) },
  );
  const state = await page.evaluate(async () => (await window.search.state()).collections[0]);
  expect(state).toMatchObject({ documents: 3, problems: [{ path: "a.exe" }, { path: "b.exe" }] });
  const documents = () => page.evaluate(async () => window.search.documents(window.state.collections[0]?.id ?? ""));
  const begun = async () => (await documents()).filter(({ coverage }) => coverage.done > 0).length;
  await expect.poll(begun, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
  const covered = Object.fromEntries((await documents()).map(({ id, coverage }) => [id, coverage]));
  expect(covered["short.md"]).toEqual({ done: 1, total: 1 });
  expect(covered["long.md"]?.done).toBeLessThan(covered["long.md"]?.total ?? 0);
});

test("a tab that is closed while it waits for answers leaves no error in the tab that leads", async ({ page, context }) => {
  await addFiles(page, notes(12));
  const worker = page.workers().find((each) => each.url().includes("search-worker"));
  await worker?.evaluate(() => {
    const errors: string[] = [];
    Object.assign(globalThis, { errors });
    addEventListener("unhandledrejection", ({ reason }) => errors.push(String(reason)));
    addEventListener("error", ({ message }) => errors.push(message));
  });
  await embedded(page);
  const other = await context.newPage();
  await open(other);
  await other.evaluate(() => {
    const id = window.state.collections[0]?.id ?? "";
    for (let i = 0; i < 100; i++) void window.search.relevanceIn(id, "notes/001.md", `query ${i}`);
  });
  await other.close();
  // Answered after those of the other tab.
  await page.evaluate(async () => window.search.relevanceIn(window.state.collections[0]?.id ?? "", "notes/001.md", "the last query"));
  expect(await worker?.evaluate(() => Reflect.get(globalThis, "errors"))).toEqual([]);
});

test("pausing stops embedding, and resuming continues it", async ({ page }) => {
  await addFiles(page, notes(4));
  await embedded(page);
  const id = await firstCollection(page);
  await page.evaluate((id) => window.search.pause(id), id);
  await addFiles(page, notes(40, 10));
  await page.evaluate(() => window.until(({ collections: [first] }) => first?.indexing?.phase === "paused"));
  const at = (await collection(page))?.coverage.done;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await collection(page))?.coverage.done).toBe(at);
  await page.evaluate((id) => window.search.resume(id), id);
  await page.evaluate((at) => window.until(({ collections: [first] }) => (first?.coverage.done ?? 0) > (at ?? 0)), at);
});

test("stopping the reading of files keeps the documents that are read and those that are being embedded", async ({ page }) => {
  await addFiles(page, notes(40));
  const id = await firstCollection(page);
  const added = page.evaluate(
    async ([id, text]) => {
      const files = Array.from({ length: 60 }, (_, i) => ({ path: `long-${i}.md`, file: new File([`${i} ${text}`], `long-${i}.md`) }));
      await window.search.addFiles(id, files);
    },
    [id, note(1, 400)] as const,
  );
  await page.evaluate(() =>
    window.until(({ collections: [first] }) => first?.indexing?.files?.total === 60 && first.indexing.files.done > 0),
  );
  await page.evaluate((id) => window.search.stopReading(id), id);
  await added;
  const state = await collection(page);
  expect(state?.indexing?.files ?? null).toBeNull();
  expect(state?.documents).toBeGreaterThan(40);
  expect(state?.documents).toBeLessThan(100);
  await page.evaluate((id) => window.search.stopReading(id), id);
  expect((await collection(page))?.documents).toBe(state?.documents);
});

test("a paused collection stays paused after a reload, until it is resumed", async ({ page }) => {
  const id = await firstCollection(page);
  await page.evaluate((id) => window.search.pause(id), id);
  await addFiles(page, notes(12));
  await open(page);
  await ready(page);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await collection(page)).toMatchObject({ coverage: { done: 0, total: 12 }, indexing: { phase: "paused" } });
  await page.evaluate((id) => window.search.resume(id), id);
  await embedded(page);
  await open(page);
  expect(await collection(page)).toMatchObject({ coverage: { done: 12, total: 12 }, indexing: null });
});

test("collections of another model open complete, are searchable by keyword at once, and are re-embedded automatically", async ({
  page,
}) => {
  await addFiles(page, notes(8));
  await page.evaluate(async () => {
    const recipes = await window.search.createCollection("Recipes");
    await window.search.addText(recipes, "Knead the dough until it is smooth, and let it rise.");
  });
  const all = () =>
    page.evaluate(() =>
      window.until(({ collections }) => collections.every(({ coverage: { done, total } }) => done === total && done > 0)),
    );
  const { fingerprint } = (await all()).collections[0] ?? {};
  await keepAsOfOtherModel(page);
  const letModelCome = await holdModel(page);
  await open(page);
  expect(await found(page, "snails")).toContain("notes/005.md");
  expect(await found(page, "stringed instrument")).toEqual([]);
  expect(await page.evaluate(async () => window.search.state())).toMatchObject({
    collections: [
      { documents: 8, modelChanged: true, coverage: { done: 0, total: 8 } },
      { documents: 1, modelChanged: true, coverage: { done: 0, total: 1 } },
    ],
  });
  expect(await page.evaluate(async () => window.search.document(window.state.collections[0]?.id ?? "", "notes/005.md"))).toMatchObject({
    text: note(5),
  });
  letModelCome();
  expect(await all()).toMatchObject({
    collections: [
      { modelChanged: false, indexing: null, fingerprint },
      { modelChanged: false, indexing: null, fingerprint },
    ],
  });
  expect(await found(page, "stringed instrument", { mode: "semantic" })).toContain("notes/002.md");
});

test("re-embedding resumes after an interruption, and vectors of two models are never stored together", async ({ page, context }) => {
  /** Of the vectors that are kept, how many blocks either model made, and the fingerprint that is kept with them. */
  const kept = (of: Page) =>
    of.evaluate(async () => {
      const [{ name = "" } = {}] = await indexedDB.databases();
      const opening = indexedDB.open(name);
      const database = await new Promise<IDBDatabase>((resolve) => {
        opening.onsuccess = () => resolve(opening.result);
      });
      const transaction = database.transaction(["collections", "vectors"]);
      const [collections, vectors] = ["collections", "vectors"].map((store) => transaction.objectStore(store).getAll());
      await new Promise((resolve) => {
        transaction.oncomplete = resolve;
      });
      database.close();
      const blocks: { codes: Uint8Array }[] = vectors?.result ?? [];
      const ofOther = blocks.filter(({ codes }) => codes.every((code) => code === 1)).length;
      return { fingerprint: collections?.result[0].fingerprint, ofOther, ofThis: blocks.length - ofOther };
    });
  await addFiles(page, notes(64));
  const { fingerprint } = (await embedded(page)).collections[0] ?? {};
  await keepAsOfOtherModel(page);
  await open(page);
  expect(await kept(page)).toEqual({ fingerprint: otherFingerprint, ofOther: 64, ofThis: 0 });
  await expect
    .poll(
      async () => {
        const { ofOther, ofThis, ...record } = await kept(page);
        expect(record.fingerprint).toBe(ofThis > 0 ? fingerprint : otherFingerprint);
        expect(Math.min(ofOther, ofThis)).toBe(0);
        return ofThis;
      },
      { intervals: [20], timeout: 60_000 },
    )
    .toBeGreaterThan(0);
  const killed = page.waitForEvent("crash");
  await killTabs(context);
  await killed;

  const next = await context.newPage();
  await open(next);
  const taken = await collection(next);
  expect(taken).toMatchObject({ documents: 64, modelChanged: true, fingerprint });
  expect(taken?.coverage.done).toBeGreaterThan(0);
  expect(taken?.coverage.done).toBeLessThan(64);
  expect((await embedded(next)).collections[0]).toMatchObject({ modelChanged: false, coverage: { done: 64, total: 64 } });
  expect(await kept(next)).toEqual({ fingerprint, ofOther: 0, ofThis: 64 });
  expect(await found(next, "stringed instrument", { mode: "semantic" })).not.toEqual([]);
});

test("float vectors stored by an earlier release are searched without being embedded again", async ({ page }) => {
  await addFiles(page, notes(4));
  await embedded(page);
  await page.evaluate(async () => {
    const { vector } = await window.search.embed("Note 2. I thought about an old cello.");
    const [{ name = "" } = {}] = await indexedDB.databases();
    const opening = indexedDB.open(name);
    const database = await new Promise<IDBDatabase>((resolve) => {
      opening.onsuccess = () => resolve(opening.result);
    });
    const transaction = database.transaction("vectors", "readwrite");
    const request = transaction.objectStore("vectors").openCursor();
    request.onsuccess = () => {
      if (!request.result) return;
      const isWanted = JSON.stringify(request.result.key).includes("002");
      request.result.update({ dimensions: vector.length, rows: isWanted ? vector : vector.map((component) => -component) });
      request.result.continue();
    };
    await new Promise((resolve) => {
      transaction.oncomplete = resolve;
    });
    database.close();
  });
  await open(page);
  expect((await collection(page))?.coverage).toEqual({ done: 4, total: 4 });
  expect(await found(page, "an old cello", { mode: "semantic" })).toEqual(["notes/002.md"]);
});

test("the page and Node read each other's index files, and a damaged index file is rejected", async ({ page }) => {
  await addFiles(page, notes(8));
  await embedded(page);
  let node: number[] = [];
  const exported = await page.evaluate(async () => {
    const blob = await window.search.exportCollection(window.state.collections[0]?.id ?? "");
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  const folder = await mkdtemp(join(tmpdir(), "samevec-"));
  try {
    const [ofPage, ofNode] = [join(folder, "page.samevec"), join(folder, "node.samevec")];
    await writeFile(ofPage, Uint8Array.from(exported));
    expect(await CommandLine.run(["search", ofPage, "a stringed instrument"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("notes/002.md"),
    });
    await mkdir(join(folder, "notes"));
    for (const { path, text } of notes(8)) await writeFile(join(folder, path), text);
    expect(await CommandLine.run(["index", join(folder, "notes"), "-o", ofNode])).toMatchObject({ code: 0 });
    node = [...(await readFile(ofNode))];
  } finally {
    await rm(folder, { recursive: true });
  }

  const outcome = await page.evaluate(async (bytes) => {
    const file = Uint8Array.from(bytes);
    const id = await window.search.importCollection("Of Node", new Blob([file]));
    const documents = (await window.search.documents(id)).map(({ id, coverage }) => ({ id, coverage }));
    const answer = await window.search.search(id, "a stringed instrument", { mode: "semantic", filter: { builtIn: false } });
    file[file.length - 1] = (file.at(-1) ?? 0) ^ 1;
    const refused = await window.search.importCollection("Damaged", new Blob([file])).catch(({ name, code }) => ({ name, code }));
    const names = (await window.search.state()).collections.map(({ name }) => name);
    return { documents, best: answer?.hits[0]?.id, refused, names };
  }, node);
  expect(outcome.documents).toEqual(notes(8).map(({ path }) => ({ id: path.replace("notes/", ""), coverage: { done: 1, total: 1 } })));
  expect(outcome.best).toBe("002.md");
  expect(outcome.refused).toMatchObject({ name: "EncoderError", code: "damaged_index" });
  expect(outcome.names).toEqual(["My documents", "Of Node"]);
});

test("documents of a newer version of the page are neither shown as missing nor overwritten", async ({ page }) => {
  await addFiles(page, notes(2));
  await page.route("**/blank", (route) => route.fulfill({ contentType: "text/html", body: "" }));
  const changeVersion = async () => {
    await page.goto("/blank");
    return page.evaluate(async () => {
      const { name = "" } = (await indexedDB.databases()).find(({ name }) => name?.startsWith("samevec")) ?? {};
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open(name, 99);
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      const count = database.transaction("documents").objectStore("documents").count();
      const documents = await new Promise<number>((resolve) => {
        count.onsuccess = () => resolve(count.result);
      });
      database.close();
      return documents;
    });
  };
  expect(await changeVersion()).toBe(2);
  await open(page);
  const { storage } = await page.evaluate(() => window.search.state());
  expect(storage).toEqual({ kept: "tab", problem: expect.stringContaining("newer version of this page") });
  await addFiles(page, notes(1, 7));
  expect(await found(page, "Note 7", { mode: "keyword" })).toEqual(["notes/007.md"]);
  expect(await changeVersion()).toBe(2);
});

test("a full disk is reported until there is room; new documents stay searchable and stored ones are kept", async ({ page, context }) => {
  await addFiles(page, notes(2));
  await embedded(page);
  const devtools = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  // The browser looks at the quota now and then, and lets some through before.
  const large: string[] = [];
  const problem = () => page.evaluate(() => window.state.storage.problem);
  while ((await problem()) === null && large.length < 20) {
    large.push(`large-${large.length}.md`);
    const text = Array.from({ length: 400 }, (_, i) => note(1000 * large.length + i)).join("\n\n");
    await addFiles(page, [{ path: large.at(-1) ?? "", text }]);
  }
  await page.evaluate(() => window.until(({ storage }) => storage.problem !== null));
  expect(await problem()).toContain("storage is full");
  expect(await found(page, `"Note ${1000 * large.length + 399}"`, { mode: "keyword" })).toEqual(large.slice(-1));
  const inMemory = await page.evaluate(async () => window.search.documents(window.state.collections[0]?.id ?? ""));

  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  await addFiles(page, [{ path: "small.md", text: "The ferry leaves at noon." }]);
  await page.evaluate(() => window.until(({ storage }) => storage.problem === null));
  await open(page);
  const kept = await page.evaluate(async () => window.search.documents(window.state.collections[0]?.id ?? ""));
  expect(kept.map(({ id }) => id)).toEqual(expect.arrayContaining(["notes/000.md", "notes/001.md", "small.md"]));
  // What the browser has let through is whole.
  const whole = new Map(inMemory.map(({ id, passages }) => [id, passages]));
  for (const { id, passages } of kept) expect(passages).toBe(whole.get(id) ?? 1);
});

test("collections are searched separately, and deleting the last one leaves an empty one", async ({ page }) => {
  await addFiles(page, notes(2));
  const outcome = await page.evaluate(async () => {
    const other = await window.search.createCollection("Recipes");
    await window.search.addText(other, "Knead the dough until it is smooth, and let it rise.");
    await window.search.addText(other, "Knead the dough until it is smooth, and let it rise.");
    const [first] = (await window.search.state()).collections;
    const inFirst = await window.search.search(first?.id ?? "", "dough", { mode: "keyword", filter: { builtIn: false } });
    const inOther = await window.search.search(other, "dough", { mode: "keyword", filter: { builtIn: false } });
    await window.search.renameCollection(other, "Baking");
    await window.search.deleteCollection(first?.id ?? "");
    const names = (await window.search.state()).collections.map(({ name, documents }) => ({ name, documents }));
    await window.search.deleteCollection(other);
    const gone = await window.search.documents(other).catch(({ code }) => code);
    return {
      inFirst: inFirst?.hits.length,
      inOther: inOther?.hits.length,
      names,
      gone,
      left: (await window.search.state()).collections.length,
    };
  });
  expect(outcome).toEqual({ inFirst: 0, inOther: 1, names: [{ name: "Baking", documents: 1 }], gone: "not_found", left: 1 });
});
