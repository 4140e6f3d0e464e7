import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { indexFolder } from "../../api/cli/index-folder.ts";
import { IndexSearch } from "../../dist/api/node/index-search.js";
import { searchRequestSchema } from "../../shared/contract.ts";
import { retained } from "../collected.ts";
import { TopicEncoder } from "../unit/topic-encoder.ts";

let folder: string;
const file = () => join(folder, "notes.samevec");
const failingWorker = new URL("failing-index-worker.mjs", import.meta.url);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "samevec-index-"));
  const notes = await mkdtemp(join(folder, "notes-"));
  await writeFile(join(notes, "sea.txt"), "The tide comes in twice a day.");
  await writeFile(join(notes, "kitchen.txt"), "The bread rises overnight.");
  await writeFile(file(), (await indexFolder(notes, new TopicEncoder())).file);
});
afterAll(() => rm(folder, { recursive: true }));

let search: IndexSearch;
const open = (options: Partial<ConstructorParameters<typeof IndexSearch>[0]> = {}) => {
  search = new IndexSearch({ path: file(), encoder: new TopicEncoder(), worker: failingWorker, ...options });
  return search;
};
afterEach(() => search.close());

const request = (query: string, mode = "keyword") => searchRequestSchema.parse({ query, mode });
const find = async (query: string, mode?: string) => {
  const { hits } = await search.search(request(query, mode));
  return hits.map(({ id }) => id);
};

describe("searches in the worker thread", () => {
  test("the index search finds passages by keyword, semantic and hybrid search", async () => {
    open();
    expect(await find("overnight")).toEqual(["kitchen.txt"]);
    expect(await find("tide", "semantic")).toEqual(["sea.txt"]);
    expect((await search.search(request("the tide of bread", "hybrid"))).mode).toBe("hybrid");
  });

  test("the index search retains no answer", async () => {
    open();
    const answers: WeakRef<object>[] = [];
    for (let number = 0; number < 10; number++) answers.push(new WeakRef(await search.search(request("overnight"))));
    expect(await retained(answers)).toBe(0);
  });

  test("the index search needs no model for a keyword search", async () => {
    const encoder = new TopicEncoder();
    encoder.fail(new Error("no model"));
    open({ encoder });
    expect(await find("overnight")).toEqual(["kitchen.txt"]);
    await expect(find("tide", "semantic")).rejects.toThrow("no model");
  });

  test("the index search rejects a semantic search when another model built the index", async () => {
    const encoder = new TopicEncoder();
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    open({ encoder });
    await expect(find("tide", "semantic")).rejects.toMatchObject({ code: "index_unavailable" });
    expect(await find("tide")).toEqual(["sea.txt"]);
  });

  test("the index search rejects at once when its signal is aborted", async () => {
    open();
    await find("tide");
    const controller = new AbortController();
    const running = search.search(request("spin"), { signal: controller.signal });
    controller.abort("enough");
    await expect(running).rejects.toBe("enough");
    await expect(search.search(request("tide"), { signal: controller.signal })).rejects.toBe("enough");
  });

  test("the index search rejects a search when too many are waiting", async () => {
    open({ maxSearches: 2, timeout: 1_000 });
    await find("tide");
    const waiting = [find("spin"), find("tide")];
    await expect(find("tide")).rejects.toMatchObject({ code: "overloaded", details: { limit: 2, retryAfter: 1 } });
    await Promise.allSettled(waiting);
    expect(await find("tide")).toEqual(["sea.txt"]);
  });
});

describe("index files", () => {
  test("the index search reports a missing index file without its path, and opens it once it exists", async () => {
    const path = join(folder, "later.samevec");
    open({ path });
    const missing = { code: "index_unavailable", message: "The index file cannot be read (ENOENT)" };
    await expect(find("tide")).rejects.toMatchObject(missing);
    await writeFile(`${path}.part`, "not an index");
    await rename(`${path}.part`, path);
    // Refused with the earlier error: attempts are a second apart.
    await expect(find("tide")).rejects.toMatchObject(missing);
    await vi.waitFor(
      () => expect(find("tide")).rejects.toMatchObject({ code: "index_unavailable", message: "This is not an index file of Samevec" }),
      { timeout: 5_000 },
    );
    await rm(path);
    await rename(file(), path);
    await vi.waitFor(async () => expect(await find("tide")).toEqual(["sea.txt"]), { timeout: 5_000 });
    await rename(path, file());
  });
});

describe("worker threads", () => {
  test("a search worker that dies is replaced, and waiting searches are answered", async () => {
    open();
    await find("tide");
    const [crashed, next] = [find("exit"), find("tide")];
    await expect(crashed).rejects.toMatchObject({ code: "worker_died" });
    expect(await next).toEqual(["sea.txt"]);
  });

  test("a search worker that does not answer in time is replaced", async () => {
    open({ timeout: 500 });
    await search.load();
    await expect(find("spin")).rejects.toMatchObject({ code: "timeout", details: { limit: 500 } });
    await vi.waitFor(async () => expect(await find("tide")).toEqual(["sea.txt"]), { timeout: 10_000 });
  });

  test("closing the index search ends its worker and rejects its searches", async () => {
    open();
    await search.load();
    const running = find("spin");
    setTimeout(() => void search.close(), 100);
    await expect(running).rejects.toMatchObject({ code: "disposed" });
    await expect(find("tide")).rejects.toMatchObject({ code: "disposed" });
  });
});
