import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncoderError } from "../../shared/errors.ts";
import { type IndexContents, readIndexFile, writeIndexFile } from "../../shared/search/index-file.ts";
import { LexicalIndex } from "../../shared/search/lexical-index.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });

/** Contents as they can be: every passage within its text, and vectors of length 1. */
const contents: fc.Arbitrary<IndexContents> = fc
  .record({
    documents: fc.uniqueArray(fc.record({ id: text, title: text, kind: text, text }), { selector: ({ id }) => id, maxLength: 4 }),
    vectors: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ documents, vectors }) => {
    const sorted = documents.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const words = new LexicalIndex(() => "");
    for (const [key, { title, text }] of sorted.entries()) words.add({ key, title, text });
    return {
      fingerprint: "ab".repeat(32),
      dimensions: 4,
      documents: sorted.map((document, i) => ({
        ...document,
        passages: [{ start: 0, end: document.text.length, headings: [document.title], vector: i === 0 ? null : i % vectors.length }],
      })),
      vectors: vectors.map((component) => new Float32Array(4).fill(1, component, component + 1)),
      terms: words.toBytes([...sorted.keys()]),
    };
  });

const example: IndexContents = {
  fingerprint: "0123456789abcdef".repeat(4),
  dimensions: 2,
  documents: [
    { id: "a", title: "A", kind: "md", text: "heat pump", passages: [{ start: 0, end: 9, headings: ["A"], vector: 0 }] },
    { id: "b", title: "B", kind: "md", text: "a house", passages: [{ start: 0, end: 7, headings: [], vector: null }] },
  ],
  vectors: [Float32Array.of(0.6, 0.8)],
  terms: Uint8Array.of(0),
};

/** What reading comes to: the contents, or why they are refused. Any other error fails the test. */
async function outcome(file: Uint8Array<ArrayBuffer>): Promise<IndexContents | string> {
  try {
    return await readIndexFile(file);
  } catch (error) {
    expect(error).toBeInstanceOf(EncoderError);
    return (error as EncoderError).code;
  }
}

/** The file with a change, and with the checksums that its bytes should have. */
async function forged(change: (contents: IndexContents) => object): Promise<Uint8Array<ArrayBuffer>> {
  return writeIndexFile({ ...example, ...change(example) } as IndexContents);
}

describe("an index file", () => {
  test("gives back what was written, and the same contents are the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (written) => {
        const file = await writeIndexFile(written);
        expect(await readIndexFile(file)).toEqual(written);
        expect(await writeIndexFile(structuredClone(written))).toEqual(file);
      }),
    );
  });

  test("is laid out as docs/index-file.md says", async () => {
    const file = await writeIndexFile(example);
    const view = new DataView(file.buffer);
    const hex = (from: number, to: number) => Buffer.from(file.slice(from, to)).toString("hex");
    const sha256 = (from: number, to: number) => createHash("sha256").update(file.slice(from, to)).digest("hex");
    expect(Buffer.from(file.slice(0, 8)).toString()).toBe("samevec\0");
    expect([8, 12, 16, 20, 24].map((at) => view.getUint32(at, true))).toEqual([1, 2, 2, 2, 1]);
    expect(hex(28, 60)).toBe(example.fingerprint);
    expect(hex(168, 200)).toBe(sha256(0, 168));
    let start = 200;
    for (const entry of [60, 96, 132]) {
      const end = start + view.getUint32(entry, true);
      expect(hex(entry + 4, entry + 36)).toBe(sha256(start, end));
      start = end;
    }
    expect(start).toBe(file.length);
  });

  test("is refused with a reason whichever byte is changed, and wherever it is cut off", async () => {
    const file = await writeIndexFile(example);
    for (let at = 0; at < file.length; at++) {
      expect(await outcome(file.with(at, (file[at] ?? 0) ^ (1 << (at % 8))))).toBeTypeOf("string");
      expect(await outcome(file.slice(0, at))).toBeTypeOf("string");
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const refusal = await outcome(file.with(at, (file[at] ?? 0) ^ flip));
        expect(["not_an_index", "unknown_index_version", "damaged_index"]).toContain(refusal);
      }),
    );
    expect(await outcome(Uint8Array.of(...file, 0))).toBe("damaged_index");
  });

  test("of noise, and of noise behind a good beginning, is refused", async () => {
    const file = await writeIndexFile(example);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(200), async (noise, kept) => {
        expect(await outcome(Uint8Array.from(noise))).toBeTypeOf("string");
        expect(await outcome(Uint8Array.of(...file.slice(0, kept), ...noise))).toBeTypeOf("string");
      }),
    );
  });

  test.each<[string, (contents: IndexContents) => object]>([
    ["documents out of order", ({ documents }) => ({ documents: documents.toReversed() })],
    ["a document twice", ({ documents }) => ({ documents: [documents[0], documents[0]] })],
    ["a passage behind its text's end", ({ documents }) => ({ documents: [withPassage(documents, { end: 10 })] })],
    ["a passage without length", ({ documents }) => ({ documents: [withPassage(documents, { end: 0 })] })],
    ["a passage before its text", ({ documents }) => ({ documents: [withPassage(documents, { start: -1 })] })],
    ["passages that all overlap", ({ documents }) => ({ documents: [withOverlap(documents)] })],
    ["a vector that is not there", ({ documents }) => ({ documents: [withPassage(documents, { vector: 1 })] })],
    ["a heading that is no text", ({ documents }) => ({ documents: [withPassage(documents, { headings: [1] })] })],
    ["a vector that is not a number", () => ({ vectors: [Float32Array.of(Number.NaN, 1)] })],
    ["a vector that is too long", () => ({ vectors: [Float32Array.of(1, 1)] })],
    ["more dimensions than bytes", () => ({ dimensions: 0xffffffff })],
    ["no dimensions", () => ({ dimensions: 0, vectors: [] })],
    ["a field too many", ({ documents }) => ({ documents: [{ ...documents[0], passages: [], extra: 1, id: 7 }] })],
  ])("with right checksums but %s is refused", async (_, change) => {
    expect(await outcome(await forged(change))).toBe("invalid_index");
  });
});

function withOverlap(documents: IndexContents["documents"]) {
  const passages = Array.from({ length: 7 }, (_, start) => ({ start, end: 9, headings: [], vector: null }));
  return { ...documents[0], passages };
}

function withPassage(documents: IndexContents["documents"], change: object) {
  return { ...documents[0], passages: [{ ...documents[0]?.passages[0], ...change }] };
}
