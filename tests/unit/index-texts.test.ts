import fc from "fast-check";
import { expect, test } from "vitest";
import { FormatError } from "../../shared/index/format-error.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import { CompressedTexts, checkTexts, TextsWriter } from "../../shared/index/texts.ts";

/** UTF-16 code units of a block. */
const blockLength = 8192;

const short = fc.string({ unit: "binary", maxLength: 30 }).map((text) => text.toWellFormed());

/** Texts whose blocks end within a surrogate pair, a byte order mark or a character of several bytes. */
const long = fc
  .tuple(
    fc.constantFrom("a", "é", "東", "😀", "\uFEFF", "a😀"),
    fc.nat(40),
    fc.integer({ min: -4, max: 4 }),
    fc.integer({ min: 1, max: 2 }),
    short,
  )
  .map(([unit, before, offset, blocks, after]) => {
    const length = blocks * blockLength + offset - before;
    return "b".repeat(before) + unit.repeat(Math.ceil(length / unit.length)) + after;
  });

const text = fc.oneof({ weight: 4, arbitrary: short }, { weight: 1, arbitrary: long });

function compressed(texts: readonly string[]): CompressedTexts {
  const writer = new TextsWriter();
  for (const each of texts) writer.add(each);
  return writer.finish();
}

/** Where each text starts in the concatenation; the last one is its length. */
function startsOf(texts: readonly string[]): Uint32Array {
  const starts = new Uint32Array(texts.length + 1);
  for (const [i, { length }] of texts.entries()) starts[i + 1] = (starts[i] ?? 0) + length;
  return starts;
}

test("stored texts read back as written, whole and in parts", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 5 }), (texts, parts) => {
      const all = texts.join("");
      const starts = startsOf(texts);
      const read = compressed(texts);
      for (const [i, each] of texts.entries()) expect(read.slice(starts[i] ?? 0, starts[i + 1] ?? 0) === each).toBe(true);
      for (const [a, b] of parts) {
        const [from, to] = [a % (all.length + 1), b % (all.length + 1)].sort((x, y) => x - y);
        expect(read.slice(from ?? 0, to ?? 0) === all.slice(from, to)).toBe(true);
      }
      expect(read.slice(0, all.length) === all).toBe(true);
      expect(() => checkTexts(read.starts, read.offsets, starts)).not.toThrow();
    }),
  );
});

test("a stored surrogate pair at the border of two blocks is read in one piece", () => {
  for (const length of [blockLength - 2, blockLength - 1, blockLength]) {
    const source = `${"a".repeat(length)}😀${"b".repeat(blockLength)}`;
    const read = compressed([source]);
    expect(read.slice(0, source.length) === source).toBe(true);
    expect(read.slice(length, length + 2)).toBe("😀");
    expect([...read.starts]).not.toContain(length + 1);
  }
});

test("a stored byte order mark at the start of a text or block is kept", () => {
  const source = `\uFEFF${"a".repeat(blockLength - 1)}\uFEFFb`;
  const read = compressed([source]);
  expect([...read.starts]).toEqual([0, blockLength, blockLength + 2]);
  expect(read.slice(0, source.length) === source).toBe(true);
  expect(read.slice(blockLength, blockLength + 2)).toBe("\uFEFFb");
});

test("blocks are read again after 64 other blocks", () => {
  const texts = Array.from({ length: 150 }, (_, i) => `text ${i}`);
  const [starts, read] = [startsOf(texts), compressed(texts)];
  for (let turn = 0; turn < 2; turn++) {
    expect(texts.map((_, i) => read.slice(starts[i] ?? 0, starts[i + 1] ?? 0))).toEqual(texts);
  }
});

test("copied texts have the same bytes as written texts", () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.tuple(text, fc.boolean()), { maxLength: 6 })
        .chain((texts) => fc.tuple(fc.constant(texts), fc.shuffledSubarray([...texts.keys()]))),
      ([texts, kept]) => {
        const list = texts.map(([each]) => each);
        const [starts, source] = [startsOf(list), compressed(list)];
        const writer = new TextsWriter();
        for (const i of kept) {
          if (texts[i]?.[1]) writer.copy(source, starts[i] ?? 0, starts[i + 1] ?? 0);
          else writer.add(list[i] ?? "");
        }
        const [found, expected] = [writer.finish(), compressed(kept.map((i) => list[i] ?? ""))];
        expect([...found.starts]).toEqual([...expected.starts]);
        expect([...found.offsets]).toEqual([...expected.offsets]);
        expect(Buffer.compare(found.bytes, expected.bytes)).toBe(0);
      },
    ),
  );
});

test("a merged index keeps the texts of documents after an empty document", async () => {
  const index = new SearchIndex();
  const documentOf = (id: string, text: string) => ({ id, title: id, text, passages: [] });
  await index.put([documentOf("a", "the sea"), documentOf("b", "")]);
  await index.put([documentOf("c", "the moon")]);
  await index.merge();
  expect(["a", "b", "c"].map((id) => index.textOf(id))).toEqual(["the sea", "", "the moon"]);
});

test.each<[string, readonly number[], readonly number[], readonly number[]]>([
  ["that belongs to two texts", [0, 8], [0, 5], [0, 4, 8]],
  ["that ends before its text", [0, 8], [0, 5], [0, 9]],
  ["without code units", [0, 0, 8], [0, 1, 5], [0, 8]],
  ["of more than 8,192 code units", [0, 8193], [0, 5], [0, 8193]],
  ["of more bytes than its code units can take", [0, 8], [0, 100], [0, 8]],
])("a text block %s is rejected", (_, starts, offsets, texts) => {
  expect(() => checkTexts(Uint32Array.from(starts), Uint32Array.from(offsets), Uint32Array.from(texts))).toThrow(FormatError);
});

test("a text block that cannot be decompressed or has another length is rejected when it is read", () => {
  const { starts, offsets, bytes } = compressed(["the sea comes and goes"]);
  const invalid = expect.objectContaining({ code: "invalid_index" });
  expect(() =>
    new CompressedTexts(
      starts,
      offsets,
      bytes.map(() => 255),
    ).slice(0, 22),
  ).toThrow(invalid);
  for (const length of [21, 23, 5])
    expect(() => new CompressedTexts(Uint32Array.of(0, length), offsets, bytes).slice(0, 5)).toThrow(invalid);
});
