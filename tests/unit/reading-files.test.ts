import { readFile as readBytes } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { readableExtensions, readableKind, readFile } from "../../shared/reading/read-file.ts";
import { chunkText } from "../../shared/search/chunk.ts";

const read = async (name: string) =>
  readFile(name, new Uint8Array(await readBytes(new URL(`../fixtures/reading/${name}`, import.meta.url))));
const readText = (name: string, text: string) => readFile(name, new TextEncoder().encode(text));

describe("text files", () => {
  test.each([
    ["UTF-16 by its byte order mark", "utf-16.txt", "The café opens at six – every day.\n"],
    ["windows-1252 when it is not valid UTF-8", "windows-1252.txt", "The “café” costs 3 € – or less.\n"],
  ])("a text file is read in %s", async (_, name, text) => {
    expect(await read(name)).toEqual({ title: text.trim(), kind: "txt", text });
  });

  test("a text file is read unchanged, except for a byte order mark and lone surrogates", async () => {
    expect((await readText("a.txt", "\ufeff one\r\n\r\n\ttwo ")).text).toBe(" one\r\n\r\n\ttwo ");
    const halved = Uint8Array.of(0xff, 0xfe, 0x41, 0x00, 0x3d, 0xd8, 0x42, 0x00);
    expect((await readFile("a.txt", halved)).text).toBe("A\ufffdB");
  });

  test.each([
    ["its first heading", "a.md", "An image first.\n\n## The sea ##\n\nTides.", "The sea"],
    ["the title in its front matter", "a.markdown", '---\ndate: 2020\ntitle: "The sea"\n---\n# Tides', "The sea"],
    ["its first line when a # is only in a code block", "a.md", "How to install:\n```\n# as root\n```", "How to install:"],
    ["the first line with a letter in it", "a.txt", "=====\nThe sea\n=====\n", "The sea"],
    ["a long first line, cut at a word's end", "a.txt", "seaside ".repeat(20), `${"seaside ".repeat(10).trim()} …`],
  ])("a text file's title is %s", async (_, name, text, title) => {
    expect((await readText(name, text)).title).toBe(title);
  });
});

describe("HTML files", () => {
  test("an HTML file is read as headings, paragraphs, lists and rows, without scripts and navigation", async () => {
    const { title, kind, text } = await read("bread.html");
    expect([title, kind]).toEqual(["Rye bread & its crumb", "html"]);
    expect(text).toBe(
      `# Rye bread

Knead the dough for ten minutes; let it rise overnight in a bowl of café au lait’s size.
It is ready when it springs back.

## What it needs

- Flour
  - rye, 400 g
  - wheat, 100 g
- Water

1. Mix.
2. Wait.

Oven | Minutes
250 °C | 15
200 °C | 40

\`\`\`
# not a heading
bake --minutes 55
\`\`\`

It keeps for < 5 days _or_ *so*.`,
    );
    const headings = chunkText(text, { maxTokens: 20 }).map((chunk) => chunk.headings);
    expect(new Set(headings.map(String))).toEqual(new Set(["", "Rye bread", "Rye bread,What it needs"]));
  });

  test.each([
    ["an empty heading", "<h2> </h2>one", "one"],
    ["items without a list", "<li>one<li>two", "- one\n- two"],
    ["lines of code in elements", "<pre><div>a</div><div>b</div></pre>", "```\na\nb\n```"],
    ["fences in code", "<pre>```</pre>", "````\n```\n````"],
    ["an unknown encoding", '<meta charset="nonsense"><p>one</p>', "one"],
    ["a byte order mark and another declared encoding", '\ufeff<meta charset="windows-1252"><p>caf\u00e9</p>', "caf\u00e9"],
    ["an SVG title", "<head></head><body><svg><title>logo</title></svg><p>one</p>", "one"],
    ["unclosed elements", "<div><p>one<b>two", "onetwo"],
  ])("HTML with %s is read", async (_, html, text) => {
    const read = await readText("a.htm", html);
    expect(read.text).toBe(text);
    expect(read.title).not.toBe("logo");
  });
});

describe("PDF files", () => {
  test("a PDF is read as paragraphs with joined hyphenated words, and with headings", async () => {
    const { title, kind, text } = await read("bees.pdf");
    expect([title, kind]).toEqual(["Keeping bees on a roof", "pdf"]);
    const paragraphs = text.split("\n\n");
    expect(paragraphs[0]).toBe("## Keeping bees on a roof");
    expect(paragraphs[1]).toContain("Look for a place that is sheltered from the wind, and where the morning sun warms the entrance. The");
    expect(paragraphs[1]).toContain("a colony with a long-lived queen is the calmer one.");
    expect(paragraphs.slice(-3)).toEqual([
      "a veil and gloves\na smoker with its fuel",
      "## In winter",
      "Feed syrup until October, then leave them alone. A strap keeps the lid on in a storm, and a long-lived hive dry.",
    ]);
  });

  test("reading a PDF leaves the caller's bytes unchanged", async () => {
    const bytes = new Uint8Array(await readBytes(new URL("../fixtures/reading/bees.pdf", import.meta.url)));
    const before = bytes.slice();
    await readFile("bees.pdf", bytes);
    expect(bytes).toEqual(before);
  });
});

describe("CSV, JSON and JSONL files", () => {
  test("a CSV file is read as one paragraph per row, with named columns", async () => {
    expect(await read("instruments.csv")).toEqual({
      title: "name, made, notes",
      kind: "csv",
      text: 'name: Cello\nmade: 1931\nnotes: Bought from "Hill & Sons",\r\nneeds a new bridge\n\nname: Viola\nnotes: light, and easy to play',
    });
  });

  test.each([
    ["tabs", "a.tsv", "name\tyear\nCello\t1931\n", "name: Cello\nyear: 1931"],
    ["semicolons", "a.csv", "name;year\nCello;1931\n", "name: Cello\nyear: 1931"],
    ["a header row that starts with #", "a.csv", "# of strings,\n4,nylon\n", "of strings: 4\nnylon"],
    ["a single row", "a.csv", "cello,1931", "cello, 1931"],
  ])("a CSV file is read with %s", async (_, name, csv, text) => {
    expect((await readText(name, csv)).text).toBe(text);
  });

  test("a JSON file is read as one paragraph per element, with paths of nested values", async () => {
    expect(await read("walks.json")).toEqual({
      title: "name, km, tags, start",
      kind: "json",
      text: "name: Ridge path\nkm: 12.5\ntags: views\ntags: steep\nstart.place: the station\n\nname: Mill stream\nkm: 4\ndogs: true",
    });
  });

  test.each([
    ["an object, under its own title", '{"title":"Walks","in":{"all":2}}', "Walks", "title: Walks\nin.all: 2"],
    ["strings, unchanged", '["# Walks\\n\\nby the sea", ""]', "Walks", "# Walks\n\nby the sea"],
  ])("a JSON file is read when it contains %s", async (_, json, title, text) => {
    expect(await readText("a.json", json)).toEqual({ title, kind: "json", text });
  });

  test("a JSONL file is read as one paragraph per line", async () => {
    expect(await read("letters.jsonl")).toEqual({
      title: "from, text",
      kind: "jsonl",
      text: "from: Ida\ntext: The ferry is late again.\n\nfrom: Jon\ntext: Take the bridge then.",
    });
  });
});

describe("unreadable files", () => {
  test.each([
    ["encrypted.pdf", "encrypted_file", "is encrypted"],
    ["scan.pdf", "empty_input", "contains no text"],
    ["truncated.pdf", "unreadable_file", "is damaged or not a PDF"],
    ["unclosed.csv", "unreadable_file", "has a malformed quoted field in line 3"],
    ["malformed.json", "unreadable_file", "is not valid JSON in line 4"],
    ["bad-line.jsonl", "unreadable_file", "is not valid JSON in line 3"],
    ["picture.txt", "binary_file", "is not text in UTF-8, UTF-16 or windows-1252"],
  ])("the unreadable file %s is rejected with a reason", async (name, code, message) => {
    await expect(read(name)).rejects.toMatchObject({ code, message });
  });

  test.each([
    ["only white space", "a.md", " \n\t", "empty_input"],
    ["a few bytes of unknown encoding", "a.txt", Uint8Array.of(0xe9), "binary_file"],
    ["half a character in UTF-16", "a.txt", Uint8Array.of(0xff, 0xfe, 0x41), "binary_file"],
    ["an unsupported extension", "notes.tar.gz", "x", "unsupported_file"],
    ["no extension, in a folder with a dot", "notes.md/readme", "x", "unsupported_file"],
    ["excessively nested elements", "a.html", "<div>".repeat(100_000), "unreadable_file"],
    ["excessively nested arrays", "a.json", "[".repeat(1_000_000) + "]".repeat(1_000_000), "unreadable_file"],
    ["unclosed arrays", "a.json", "[".repeat(1_000_000), "unreadable_file"],
  ])("an unreadable file is rejected: %s", async (_, name, content, code) => {
    const reading = typeof content === "string" ? readText(name, content) : readFile(name, content);
    await expect(reading).rejects.toMatchObject({ code });
  });

  test("a file that is too large is rejected before it is read, and one that expands into too long a text is rejected", async () => {
    expect(() => readableKind("a.txt", 20_000_001)).toThrow("is larger than 20 MB");
    expect(() => readableKind("a.pdf", 50_000_001)).toThrow("is larger than 50 MB");
    expect(readableKind("a.PDF", 50_000_000)).toBe("pdf");
    const rows = `${"a long name of a column that says much ".repeat(2)}\n${"x\n".repeat(300_000)}`;
    await expect(readText("a.csv", rows)).rejects.toMatchObject({ code: "file_too_large" });
  });

  test("a PDF with too many pages is rejected", async () => {
    const pages = (count: number) => {
      const numbers = Array.from({ length: count }, (_, i) => i + 3);
      return `%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Count ${count} /Kids [${numbers.map((number) => `${number} 0 R`).join(" ")}]>> endobj
${numbers.map((number) => `${number} 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>> endobj`).join("\n")}
trailer <</Root 1 0 R>>
%%EOF`;
    };
    await expect(readText("a.pdf", pages(5001))).rejects.toMatchObject({ code: "file_too_large", message: "has more than 5000 pages" });
    await expect(readText("a.pdf", pages(3))).rejects.toMatchObject({ code: "empty_input" });
  });

  test("an aborted reading rejects with the signal's reason", async () => {
    await expect(readFile("a.txt", new Uint8Array(), { signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  });
});

test("readable files are recognized by their extension", () => {
  expect(readableExtensions).toEqual([
    ...[".txt", ".md", ".markdown", ".html", ".htm", ".pdf", ".csv", ".tsv", ".json", ".jsonl", ".ndjson"],
  ]);
});
