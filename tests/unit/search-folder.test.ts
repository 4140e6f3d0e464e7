import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatHit, openIndexFile } from "../../api/cli/index-file.ts";
import { indexFolder } from "../../api/cli/index-folder.ts";
import { searchDocuments } from "../../api/document-search.ts";
import { searchRoutes } from "../../api/routes/search.ts";
import { TopicEncoder } from "./topic-encoder.ts";

let folder: string;
let encoder: TopicEncoder;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "samevec-folder-"));
  encoder = new TopicEncoder();
  await write({ "sea.md": "# The sea\n\nThe tide rises.", "notes/food.txt": "The bread is fresh.", "notes/old.csv": "cello,1931" });
});
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

test("a folder is indexed into an index file, and unreadable files are reported and skipped", async () => {
  await copyFile(new URL("../fixtures/reading/bees.pdf", import.meta.url), join(folder, "bees.pdf"));
  await write({ "damaged.pdf": "%PDF-1.7", "list.json": "[1,", "page.html": "<h1>The bread</h1>" });
  await write({ "a.png": "x", "empty.md": "\n", "latin1.txt": Uint8Array.of(0xe9), ".hidden.md": "x", ".git/x.md": "x" });
  const { documents, passages, skipped } = await indexFolder(folder, encoder);
  expect([documents, passages]).toEqual([5, 6]);
  expect(skipped).toEqual([
    { path: "a.png", reason: "has an unsupported file type" },
    { path: "damaged.pdf", reason: "is damaged or not a PDF" },
    { path: "empty.md", reason: "contains no text" },
    { path: "latin1.txt", reason: "is not text in UTF-8, UTF-16 or windows-1252" },
    { path: "list.json", reason: "is not valid JSON in line 1" },
  ]);
});

test("a changed folder is indexed with the same result as a new one, and only new texts are embedded", async () => {
  const { file: previous } = await indexFolder(folder, encoder);
  expect((await indexFolder(folder, encoder)).file).toEqual(previous);
  await rm(join(folder, "notes/old.csv"));
  await write({ "notes/renamed.txt": "The bread is fresh.", "sea.md": "# The sea\n\nThe tide falls." });
  await rm(join(folder, "notes/food.txt"));
  encoder.embedded.length = 0;
  const { file } = await indexFolder(folder, encoder, { previous });
  expect(encoder.embedded).toEqual(["The sea\n# The sea\n\nThe tide falls."]);
  expect(file).toEqual((await indexFolder(folder, encoder)).file);
});

test("interrupted indexing of a folder keeps its partial result and resumes from it", async () => {
  await write(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`notes/${i}.txt`, `Note ${i} tells of the sea and of the tide.`])));
  const { file: whole, coverage } = await indexFolder(folder, encoder);
  expect(coverage.done).toBe(coverage.total);
  const ending = new AbortController();
  const part = await indexFolder(folder, encoder, { signal: ending.signal, onProgress: () => ending.abort() });
  expect(part.passages).toBe(403);
  expect(part.coverage.done).toBeGreaterThan(0);
  expect(part.coverage.done).toBeLessThan(part.coverage.total);
  encoder.embedded.length = 0;
  expect((await indexFolder(folder, encoder, { previous: part.file })).file).toEqual(whole);
  expect(encoder.embedded).toHaveLength(part.coverage.total - part.coverage.done);
  await expect(indexFolder(folder, encoder, { signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
});

test("an index file is searched from the terminal and by POST /search", async () => {
  const path = join(folder, "docs.samevec");
  await writeFile(path, (await indexFolder(folder, encoder)).file);
  const engine = await openIndexFile(path, encoder);
  const [best] = (await engine.search("tide")).hits;
  expect(best && formatHit(best)).toBe("100 %  sea.md\n  # The sea The tide rises.");

  const post = async (body: object) => {
    const headers = { "content-type": "application/json" };
    const response = await searchRoutes({ search: (request) => searchDocuments(engine, request) }).request("/search", {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return response.json();
  };
  expect(await post({ query: "fresh bread", min_relevance: 0.5, filter: { documents: ["notes/"] } })).toEqual({
    mode: "hybrid",
    hits: [
      {
        ...{ id: "notes/food.txt", title: "The bread is fresh.", fields: { kind: "txt" }, length: 19 },
        ...{ strength: "strong", cosine: expect.closeTo(1), relevance: expect.closeTo(1) },
        passage: {
          ...{ text: "The bread is fresh.", start: 0, end: 19, headings: [] },
          marks: [
            { start: 4, end: 9 },
            { start: 13, end: 18 },
          ],
        },
      },
    ],
  });
  expect(await post({ query: "cello", mode: "keyword", filter: { kinds: ["md"] } })).toEqual({ mode: "keyword", hits: [] });
});

test("a file that is not an index file is rejected", async () => {
  await expect(openIndexFile(join(folder, "sea.md"), encoder)).rejects.toMatchObject({ code: "not_an_index" });
});
