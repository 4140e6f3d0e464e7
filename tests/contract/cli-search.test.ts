import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { searchResponseSchema } from "../../shared/contract.ts";
import { CommandLine } from "./command-line.ts";
import { ServerProcess } from "./server-process.ts";

const { run } = CommandLine;

let folder: string;
let notes: string;
const index = () => join(folder, "notes.samevec");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "samevec-search-"));
  notes = join(folder, "notes");
  await mkdir(join(notes, "house"), { recursive: true });
  await writeFile(
    join(notes, "tides.md"),
    "# Tides\n\nThe Moon pulls the water of the oceans, so that they come up the beach twice a day.\n",
  );
  await writeFile(join(notes, "house", "heating.txt"), "Bleed a radiator with its key when the rooms upstairs stay cold.");
  await writeFile(join(notes, "house", "bread.txt"), "Knead the dough for ten minutes and let it rise overnight.");
  await writeFile(join(notes, "noise.txt"), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]));
  const { code, stderr } = await run(["index", notes, "-o", index()]);
  expect(stderr).toContain("noise.txt is not UTF-16 text");
  expect(stderr).toContain("3 documents");
  expect(code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true }));

describe("samevec search", () => {
  test("samevec search finds a passage by meaning that shares no word with the query", async () => {
    const { code, stdout } = await run(["search", index(), "why does the sea move up and down", "--mode", "semantic"]);
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toContain("tides.md");
  });

  test("samevec search matches a quoted phrase and leaves out results with an excluded word", async () => {
    const { stdout } = await run(["search", index(), '"bleed a radiator"', "--mode", "keyword"]);
    expect(stdout.split("\n")[0]).toContain("house/heating.txt");
    const { stdout: without } = await run(["search", index(), "radiator -key", "--mode", "keyword"]);
    expect(without).toBe("");
  });

  test("samevec search -n limits the number of results", async () => {
    const { stdout } = await run(["search", index(), "cold rooms upstairs", "-n", "1"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  test.each([
    ["a file that is not an index file", "this is no index file at all"],
    ["a truncated index file", null],
  ])("samevec search rejects %s with a reason and exit code 1", async (_, content) => {
    const file = join(folder, "bad.samevec");
    await writeFile(file, content ?? (await readFile(index())).subarray(0, -20));
    const { code, stdout, stderr } = await run(["search", file, "anything"]);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^samevec: .*index file/);
  });
});

describe("samevec index", () => {
  test("samevec index writes the same bytes from scratch and over an existing index file", async () => {
    const before = await readFile(index());
    const fresh = join(folder, "fresh.samevec");
    await run(["index", notes, "-o", fresh]);
    await run(["index", notes, "-o", index()]);
    expect((await readFile(fresh)).equals(before)).toBe(true);
    expect((await readFile(index())).equals(before)).toBe(true);
  });

  test("samevec index keeps a searchable partial index after Ctrl-C, and the next run resumes to the same bytes", async () => {
    const many = join(folder, "many");
    await mkdir(many, { recursive: true });
    for (let i = 0; i < 120; i++) {
      await writeFile(
        join(many, `${i}.txt`),
        `Note ${i}: the water of the harbour rose to mark ${i * 7}, and the boats lay high at the pier.`,
      );
    }
    const file = join(folder, "many.samevec");
    await rm(file, { force: true });
    const args = ["index", many, "-o", file, "--workers", "1"];
    const running = new CommandLine(args);
    running.process.stderr.on("data", (chunk: string) => {
      if (!/\d+ of 120 passages/.test(chunk)) return;
      // Under npx a terminal's Ctrl-C arrives twice.
      running.process.kill("SIGINT");
      setTimeout(() => running.process.kill("SIGINT"), 50);
    });
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("run the same command to continue");
    const [, missing] = /(\d+) passages are not embedded yet/.exec(stderr) ?? [];
    expect(Number(missing)).toBeGreaterThan(0);
    expect(Number(missing)).toBeLessThan(120);
    expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
    const { stdout } = await run(["search", file, '"mark 833"', "--mode", "keyword"]);
    expect(stdout).toContain("119.txt");

    const resumed = await run(args);
    expect(resumed.code).toBe(0);
    const [, done] = /(\d+) of 120 passages/.exec(resumed.stderr) ?? [];
    expect(Number(done)).toBeGreaterThanOrEqual(120 - Number(missing));
    const fresh = join(folder, "many-fresh.samevec");
    await run(["index", many, "-o", fresh]);
    expect((await readFile(file)).equals(await readFile(fresh))).toBe(true);
  });

  test("samevec index does not overwrite a file that is not an index file", async () => {
    const file = join(folder, "letter.txt");
    await writeFile(file, "Dear reader, this is a letter.");
    const { code, stderr } = await run(["index", notes, "-o", file]);
    expect(code).toBe(1);
    expect(stderr).toContain("not an index file");
    expect(await readFile(file, "utf8")).toContain("Dear reader");
  });

  test("samevec index names a folder that does not exist", async () => {
    const { code, stderr } = await run(["index", join(folder, "nowhere"), "-o", join(folder, "x.samevec")]);
    expect(code).toBe(1);
    expect(stderr).toContain("nowhere");
  });
});

describe("POST /search", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start({ WORKERS: "1", INDEX_FILE: index() });
  });
  afterAll(() => server?.stop());

  const headers = { "content-type": "application/json" };
  const ask = (body: object) => fetch(`${server.url}/search`, { method: "POST", headers, body: JSON.stringify(body) });
  const search = async (body: object) => {
    const response = await ask(body);
    expect(response.status).toBe(200);
    const { mode, hits } = searchResponseSchema.parse(await response.json());
    return { mode, hits, ids: hits.map(({ id }) => id) };
  };

  test("POST /search finds a passage by meaning, with its offsets in the document", async () => {
    const { mode, hits } = await search({ query: "why does the sea move up and down" });
    expect(mode).toBe("hybrid");
    expect(hits[0]).toMatchObject({
      id: "tides.md",
      fields: { kind: "md" },
      length: (await readFile(join(notes, "tides.md"), "utf8")).length,
    });
    const source = await readFile(join(notes, "tides.md"), "utf8");
    expect(source.slice(hits[0]?.passage.start, hits[0]?.passage.end)).toBe(hits[0]?.passage.text);
  });

  test("samevec search --json prints what POST /search answers", async () => {
    const { stdout } = await run(["search", index(), "radiator", "--json", "--limit", "2"]);
    expect(searchResponseSchema.parse(JSON.parse(stdout))).toEqual(await (await ask({ query: "radiator", limit: 2 })).json());
  });

  test("POST /search supports keyword mode, document filters, min_relevance and limit", async () => {
    expect((await search({ query: "radiator", mode: "keyword" })).ids).toEqual(["house/heating.txt"]);
    expect((await search({ query: "rise", filter: { documents: ["house/"] } })).ids).not.toContain("tides.md");
    expect((await search({ query: "rise", min_relevance: 1 })).ids).toEqual([]);
    expect((await search({ query: "rise", limit: 1 })).ids).toHaveLength(1);
  });

  test("POST /search rejects an invalid request and is described in /openapi.json", async () => {
    const response = await ask({ query: "" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "invalid_request", details: { path: "query" } });
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toHaveProperty(["paths", "/search", "post"]);
  });

  test("POST /search returns 404 without an index file", async () => {
    const without = await ServerProcess.start({ WORKERS: "1" });
    expect((await fetch(`${without.url}/search`, { method: "POST", headers, body: '{"query":"a"}' })).status).toBe(404);
    await without.stop();
  });

  test("POST /search returns 503 while the index file is missing or invalid, and searches it once it is valid", async () => {
    const path = join(folder, "later.samevec");
    const waiting = await ServerProcess.start({ WORKERS: "1", INDEX_FILE: path });
    try {
      const ask = async () => {
        const response = await fetch(`${waiting.url}/search`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"query":"radiator","mode":"keyword"}',
        });
        return { status: response.status, retryAfter: response.headers.get("retry-after"), body: await response.json() };
      };
      expect(await ask()).toMatchObject({ status: 503, retryAfter: "2", body: { code: "index_unavailable", error_type: "Backend" } });
      expect(JSON.stringify(await ask())).not.toContain(folder);
      expect((await waiting.embed({ inputs: "a text" })).status).toBe(200);
      await writeFile(`${path}.part`, await readFile(index()));
      await rename(`${path}.part`, path);
      await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200, body: { mode: "keyword" } }), { timeout: 10_000 });
      expect(waiting.output).toContain("Index        The index file cannot be read (ENOENT)");
    } finally {
      expect(await waiting.stop()).toBe(0);
    }
  });
});

describe("invalid index files on the command line", () => {
  test("samevec search reports an invalid index file by its path, without a stack trace", async () => {
    const damaged = join(folder, "damaged\u001b[31m.samevec");
    await writeFile(damaged, "no index");
    const { code, stderr } = await run(["search", damaged, "tides"]);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("damaged\ufffd[31m.samevec: ");
  });

  test("samevec search and embed report a folder given in place of a file by its path", async () => {
    for (const args of [
      ["search", notes, "tides"],
      ["embed", notes],
    ]) {
      const { code, stderr } = await run(args);
      expect(code).toBe(1);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(notes);
    }
  });
});
