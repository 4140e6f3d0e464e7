import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inOrder } from "../../api/cli/in-order.ts";
import { formatHit } from "../../api/cli/index-file.ts";
import { type InputFormat, readLines } from "../../api/cli/lines.ts";
import { plainProgress, terminalProgress } from "../../api/cli/progress.ts";
import { printable, printableJson } from "../../api/node/terminal.ts";

/** `bytes` in chunks that end at the given places. */
async function* chunked(bytes: Uint8Array, ends: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const end of [...ends.toSorted((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(start, Math.max(start, end));
    start = Math.max(start, end);
  }
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};
const lines = (input: string | Uint8Array, format: InputFormat, ends: readonly number[] = []) =>
  collect(readLines(chunked(typeof input === "string" ? new TextEncoder().encode(input) : input, ends), format));

describe("input lines", () => {
  test("input lines are the same however their bytes are split", async () => {
    const anyText = fc
      .string({ unit: "grapheme" })
      .filter((text) => !/[\r\n]/.test(text) && !text.startsWith("\ufeff") && text.trim() !== "");
    await fc.assert(
      fc.asyncProperty(fc.array(anyText), fc.array(fc.nat(200)), async (texts, ends) => {
        const bytes = new TextEncoder().encode(texts.join("\n"));
        const read = await lines(
          bytes,
          "text",
          ends.map((end) => Math.min(end, bytes.length)),
        );
        expect(read.map((line) => "text" in line && line.text)).toEqual(texts);
        expect(read.at(-1)?.end ?? 0).toBe(texts.length === 0 ? 0 : bytes.length);
      }),
    );
  });

  test("input lines are numbered as in an editor; blank lines are skipped, \\r\\n ends a line, U+2028 does not", async () => {
    const read = await lines("\ufefffirst\r\n\n  \nsec\u2028ond\n\ufeffthird", "text");
    expect(read).toMatchObject([
      { number: 1, text: "first" },
      { number: 4, text: "sec\u2028ond" },
      { number: 5, text: "\ufeffthird" },
    ]);
  });

  test("a JSONL line has a text and optionally an id", async () => {
    const read = await lines('{"text":"a","id":"x","more":1}\n{"id":7,"text":"b\\u2028"}\n', "jsonl");
    expect(read).toMatchObject([
      { number: 1, text: "a", id: "x" },
      { number: 2, text: "b\u2028", id: 7 },
    ]);
  });

  test.each([
    ["private", "not valid JSON"],
    ['{"text":7,"private":1}', "must be an object with a"],
    ['"private"', "must be an object with a"],
    ['{"text":"private","id":{}}', "must be an object with a"],
    ['{"text":"private \\ud800"}', "lone surrogate"],
  ])("an invalid JSONL line is reported without quoting it: %s", async (line, fault) => {
    const [bad, good] = await lines(`${line}\n{"text":"a"}`, "jsonl");
    expect(bad).toMatchObject({ number: 1, fault: expect.stringContaining(fault) });
    expect(JSON.stringify(bad)).not.toContain("private");
    expect(good).toMatchObject({ number: 2, text: "a" });
  });

  test("a line that is not UTF-8 or is too long is reported, and the next line is read", async () => {
    const bytes = Buffer.concat([Buffer.from([0x61, 0xff, 0x0a]), Buffer.alloc(17 * 1024 * 1024, "a"), Buffer.from("\nlast")]);
    expect(await lines(bytes, "text", [2, 1024, 16 * 1024 * 1024 + 2])).toMatchObject([
      { number: 1, fault: "not valid UTF-8" },
      { number: 2, fault: expect.stringContaining("longer than") },
      { number: 3, text: "last" },
    ]);
  });
});

describe("ordered results", () => {
  test("results are in the order of their items, with a limited number of items held", async () => {
    let read = 0;
    let given = 0;
    let held = 0;
    async function* items() {
      for (; read < 50; read += 1) {
        held = Math.max(held, read - given);
        yield read;
      }
    }
    const results: number[] = [];
    // The later an item, the sooner it is done.
    for await (const result of inOrder(
      items(),
      8,
      (item) => new Promise<number>((resolve) => setTimeout(resolve, (50 - item) % 7, item * 2)),
    )) {
      results.push(result);
      given += 1;
    }
    expect(results).toEqual(Array.from({ length: 50 }, (_, i) => i * 2));
    expect(held).toBeLessThanOrEqual(8);
    expect(held).toBeGreaterThan(4);
  });

  test("results stop at the first failed item, after those before it", async () => {
    const results: number[] = [];
    const failing = async () => {
      const computed = inOrder(chunkOf([0, 1, 2, 3]), 3, async (item) => {
        if (item >= 2) throw new Error(`item ${item}`);
        return item;
      });
      for await (const result of computed) results.push(result);
    };
    await expect(failing()).rejects.toThrow("item 2");
    expect(results).toEqual([0, 1]);
  });

  async function* chunkOf(items: readonly number[]) {
    yield* items;
  }
});

test("terminal progress shows the rate and the time left, with notes beside it", async () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  let shown = "";
  terminal.on("data", (chunk) => {
    shown += chunk;
  });
  const progress = terminalProgress(terminal as unknown as NodeJS.WriteStream);
  progress.start(1000, 200);
  progress.onText(600);
  progress.note("line 3: not valid JSON");
  progress.onText(1000);
  progress.stop();
  expect(shown).toContain("] 20%");
  expect(shown).toMatch(/100% \| 2 texts \| [\d.]+ texts\/s \| .* left/);
  expect(shown).toContain("line 3: not valid JSON\n");
});

describe("terminal output", () => {
  const hostile = "\u001b]0;title\u0007\u001b[2J\u009b31m\r\u202eelif\u2066\u200f\u007f";

  test("terminal output contains no control characters or bidirectional controls", () => {
    expect(printable(hostile)).toBe("\ufffd]0;title\ufffd\ufffd[2J\ufffd31m\ufffd\ufffdelif\ufffd\ufffd\ufffd");
    expect(printable("Grüße, 東京, 👩‍👧 \t and\na line")).toBe("Grüße, 東京, 👩‍👧 \t and\na line");
  });

  test("JSON for a terminal contains no control characters but line breaks, and the same values", () => {
    const shown = printableJson({ [hostile]: ["\n", hostile] });
    expect(shown.replaceAll("\n", "")).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
    expect(JSON.parse(shown)).toEqual({ [hostile]: ["\n", hostile] });
  });

  test("a search result is printed on two lines, whatever its document, headings and text contain", () => {
    const shown = formatHit({
      ...{ id: `a\nb${hostile}`, title: "", fields: {}, length: 4, strength: "good", cosine: 0.7, relevance: 0.5 },
      passage: { text: `one\n${hostile}`, start: 0, end: 4, headings: [hostile], marks: [] },
    });
    expect(shown.split("\n")).toHaveLength(2);
    expect(shown).toMatch(/^50 % {2}a b/);
    expect(shown.replace("\n", "")).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
  });

  test("a progress note prints a file name without control characters", () => {
    const stream = new PassThrough();
    plainProgress(stream).note(`samevec: ${hostile}.txt cannot be read`);
    expect(String(stream.read())).toMatch(/^samevec: [^\p{Cc}\p{Bidi_Control}]*\.txt cannot be read\n$/u);
  });
});
