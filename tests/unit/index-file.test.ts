import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncoderError } from "../../shared/errors.ts";
import { type IndexFile, readIndexFile, writeIndexFile } from "../../shared/index/index-file.ts";
import { parseQuery } from "../../shared/index/query.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import type { SegmentArrays } from "../../shared/index/segment.ts";
import { Segment } from "../../shared/index/segment.ts";
import { type IndexDocument, SegmentBuilder } from "../../shared/index/segment-builder.ts";
import { geometryOf, VectorCodec } from "../../shared/index/vector-codes.ts";
import { openIndexFile } from "../../shared/search/open-index-file.ts";

const geometry = geometryOf(32);
const codec = new VectorCodec(geometry);
const fingerprint = "0123456789abcdef".repeat(4);

function vectorOf(seed: number): Float32Array<ArrayBuffer> {
  const vector = Float32Array.from({ length: 32 }, (_, i) => Math.sin(1 + seed * 7 + i));
  const norm = Math.hypot(...vector);
  return vector.map((component) => component / norm);
}

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

function documentOf(id: string, title: string, text: string, seed: number | null): IndexDocument {
  const code = seed === null ? null : codec.encode(vectorOf(seed));
  const passages = [{ start: 0, end: text.length, headings: [title, "Part"], hash: hashOf(title + text), readable: seed !== null, code }];
  return { id, title, text, fields: { kind: "note", tags: ["a", "b"] }, passages };
}

function contentsOf(documents: readonly IndexDocument[]): IndexFile {
  const builder = new SegmentBuilder();
  for (const document of documents) builder.add(document);
  return { fingerprint, geometry, segments: [builder.finish(geometry)] };
}

const example = contentsOf([
  documentOf("a", "Heating", "heat pump and radiators", 0),
  documentOf("b", "Tides", "the sea comes and goes", 1),
  documentOf("c", "Leer", "nur deutsch", null),
]);
const exampleArrays = example.segments[0]?.arrays as SegmentArrays; // the builder gives one segment

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });
const documents = fc.uniqueArray(fc.record({ id: text, title: text, text, seed: fc.option(fc.nat(20)) }), {
  selector: ({ id }) => id,
  maxLength: 5,
});

/** The contents of a file, or the code with which it is refused. Any other error fails the test. */
async function outcome(file: Uint8Array<ArrayBuffer>): Promise<IndexFile | string> {
  try {
    return await openIndexFile(file);
  } catch (error) {
    expect(error).toBeInstanceOf(EncoderError);
    return (error as EncoderError).code; // checked above
  }
}

/** A file with other arrays and the checksums that its bytes should have. */
function forged(change: Partial<SegmentArrays>, header: Partial<IndexFile> = {}): Promise<Uint8Array<ArrayBuffer>> {
  return writeIndexFile({ ...example, segments: [new Segment({ ...exampleArrays, ...change }, geometry)], ...header });
}

describe("index file, version 2", () => {
  test("an index file gives back what was written, and equal contents have equal bytes", async () => {
    await fc.assert(
      fc.asyncProperty(documents, async (list) => {
        const made = list.map(({ id, title, text, seed }) => documentOf(id, title, text, seed));
        const file = await writeIndexFile(contentsOf(made));
        const read = await readIndexFile(file);
        expect(read.segments.map(({ arrays }) => arrays)).toEqual(contentsOf(made).segments.map(({ arrays }) => arrays));
        expect(await writeIndexFile(read)).toEqual(file);
        expect(await writeIndexFile(contentsOf(made.toReversed()))).toEqual(file);
        const [segment] = read.segments;
        for (const { id, title, text } of made) {
          const place = segment?.ids.find(id) ?? -1;
          expect(segment?.document(place)).toMatchObject({ id, title, fields: { kind: "note", tags: ["a", "b"] } });
          expect(segment?.textOf(place)).toBe(text);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("the layout is that of docs/index-file.md", async () => {
    const file = await writeIndexFile(example);
    const view = new DataView(file.buffer);
    expect(new TextDecoder().decode(file.subarray(0, 8))).toBe("samevec\0");
    expect(view.getUint32(8, true)).toBe(2);
    const length = view.getUint32(12, true);
    const header = file.subarray(48, 48 + length);
    expect(file.subarray(16, 48)).toEqual(Uint8Array.from(createHash("sha256").update(header).digest()));
    expect((48 + length) % 8).toBe(0);
    const json = JSON.parse(new TextDecoder().decode(header));
    expect(json).toMatchObject({
      analyzer: "words-and-english-stems-1",
      fingerprint,
      geometry,
      segments: [{ lengths: expect.any(Array) }],
    });
    const body = file.subarray(48 + length);
    expect(json.segments[0].sha256).toBe(createHash("sha256").update(body).digest("hex"));
    expect(new TextDecoder().decode(body.subarray(0, json.segments[0].lengths[0]))).toBe("abc");
  });

  test("a file with any changed byte, or cut off anywhere, is refused", async () => {
    const file = await writeIndexFile(example);
    const codes = ["not_an_index", "unknown_index_version", "damaged_index", "invalid_index"];
    for (let place = 0; place < file.length; place++) {
      expect(codes).toContain(await outcome(file.with(place, (file[place] ?? 0) ^ 64)));
      expect(codes).toContain(await outcome(file.slice(0, place)));
    }
    expect(await outcome(Uint8Array.of(...file, 0))).toBe("damaged_index");
  });

  test("noise, and noise behind a good beginning, is refused", async () => {
    const file = await writeIndexFile(example);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(200), async (noise, kept) => {
        expect(await outcome(Uint8Array.from(noise))).toBeTypeOf("string");
        expect(await outcome(Uint8Array.of(...file.slice(0, kept), ...noise))).toBeTypeOf("string");
      }),
    );
  });

  test("a file whose bytes are not aligned in memory is read", async () => {
    const file = await writeIndexFile(example);
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    expect(await outcome(shifted.subarray(3))).toMatchObject({ fingerprint });
  });

  const encode = (text: string) => new TextEncoder().encode(text);
  test.each<[string, Partial<SegmentArrays>]>([
    ["documents out of order", { idBytes: encode("acb") }],
    ["a document twice", { idBytes: encode("aab") }],
    ["ids that are not UTF-8", { idBytes: Uint8Array.of(97, 98, 255) }],
    ["positions that go back", { titleOffsets: exampleArrays.titleOffsets.with(1, 99) }],
    ["fields that are not JSON", { fieldBytes: exampleArrays.fieldBytes.with(0, 0) }],
    ["headings that are no list", { headingBytes: exampleArrays.headingBytes.with(0, 123) }],
    ["fields of a row that does not exist", { documentFields: Uint32Array.of(0, 9, 0) }],
    ["headings of a row that does not exist", { passageHeadings: Uint32Array.of(0, 1, 9) }],
    ["a passage behind the end of its text", { passageEnds: exampleArrays.passageEnds.with(0, 24) }],
    ["a passage without length", { passageEnds: exampleArrays.passageEnds.with(0, 0) }],
    ["fewer passages than the documents have", { documentPassages: Uint32Array.of(0, 1, 2, 2) }],
    ["fewer hashes than passages", { passageHashes: exampleArrays.passageHashes.slice(1) }],
    ["fewer codes than passages", { codes: exampleArrays.codes.slice(1) }],
    ["a scale that is not a number", { codeScales: Float32Array.of(Number.NaN, 0, 0) }],
    ["a negative scale", { codeScales: Float32Array.of(-0.1, 0, 0) }],
    ["a term that does not exist", { wordTerms: exampleArrays.wordTerms.with(0, 99) }],
    ["words out of order", { wordBytes: exampleArrays.wordBytes.toReversed() }],
    ["postings of more passages than bytes", { wordCounts: exampleArrays.wordCounts.with(0, 99) }],
    ["postings of no passage", { wordCounts: exampleArrays.wordCounts.with(0, 0) }],
    ["postings that do not end", { postings: exampleArrays.postings.map(() => 255) }],
    ["postings of a passage that does not exist", { postings: exampleArrays.postings.with(0, 40) }],
    ["a text that does not start with a block", { documentTexts: exampleArrays.documentTexts.with(1, 5) }],
    ["a block that is too long", { blockStarts: Uint32Array.of(0, 100_000), blockOffsets: Uint32Array.of(0, exampleArrays.blocks.length) }],
  ])("a file with right checksums but %s is refused", async (_, change) => {
    expect(await outcome(await forged(change))).toBe("invalid_index");
  });

  test("passages that all overlap are refused", async () => {
    const text = "heat pump";
    const passages = Array.from({ length: 7 }, (_, start) => ({
      start,
      end: 9,
      headings: [],
      hash: hashOf(String(start)),
      readable: true,
    }));
    expect(await outcome(await writeIndexFile(contentsOf([{ id: "a", title: "A", text, passages }])))).toBe("invalid_index");
  });

  test("codes of other dimensions than the header's are refused", async () => {
    expect(await outcome(await forged({}, { geometry: geometryOf(1024) }))).toBe("invalid_index");
    expect(await outcome(await forged({}, { geometry: { ...geometry, dimensions: 1e9 } }))).toBe("invalid_index");
  });

  test("a file with any forged bytes is refused or gives nothing worse than wrong answers", async () => {
    const names = Object.keys(exampleArrays) as (keyof SegmentArrays)[];
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (name, changes) => {
          const array = exampleArrays[name].slice();
          const bytes = new Uint8Array(array.buffer);
          if (bytes.length === 0) return;
          for (const [place, value] of changes) bytes[place % bytes.length] = value;
          const read = await outcome(await forged({ [name]: array }));
          if (typeof read === "string") {
            expect(read).toBe("invalid_index");
            return;
          }
          opened += 1;
          await useAll(read);
        },
      ),
      { numRuns: 1500 },
    );
    expect(opened).toBeGreaterThan(100);
  });
});

/** Calls everything that reads an index. A block of text that cannot be decompressed may be reported. */
async function useAll({ segments }: IndexFile): Promise<void> {
  const index = new SearchIndex();
  for (const segment of segments) await index.add(segment);
  const calls = [
    ...(["keyword", "semantic", "hybrid"] as const).map((mode) => () => index.search(parseQuery("heat pum"), vectorOf(3), { mode })),
    () => index.search(parseQuery('"heat pump" -sea'), null),
    () => index.search(parseQuery("radaitors "), null),
    () => [...index.documents()].map(({ id }) => [index.textOf(id), index.cosinesIn(id, vectorOf(2))]),
  ];
  for (const call of calls) {
    try {
      call();
    } catch (error) {
      expect(error).toMatchObject({ code: "invalid_index" });
    }
  }
  index.remove(["b"]);
  await index.snapshot();
}

describe("index file, version 1", () => {
  const read = async () => new Uint8Array(await readFile(new URL("../fixtures/index-1.samevec", import.meta.url)));

  test("a file of version 1 is converted with its texts, passages and vectors", async () => {
    const { fingerprint: found, segments } = await openIndexFile(await read());
    expect(found).toBe(fingerprint);
    const index = new SearchIndex();
    for (const segment of segments) await index.add(segment);
    expect([...index.documents()].map(({ id, title, fields }) => ({ id, title, fields }))).toEqual([
      { id: "a/heating.md", title: "Heating", fields: { kind: "note" } },
      { id: "b.txt", title: "Tides", fields: { kind: "note" } },
      { id: "c.md", title: "Leer", fields: { kind: "note" } },
    ]);
    expect(index.textOf("b.txt")).toBe("The moon pulls at the sea.\n\nThat is why the tide comes and goes.");
    const [hit] = index.search(parseQuery("tide comes "), null);
    expect(hit).toMatchObject({ id: "b.txt", passage: { start: 28, headings: ["Tides"] } });
    const cosines = [
      index.cosinesIn("a/heating.md", vectorOf(0)),
      index.cosinesIn("b.txt", vectorOf(2)),
      index.cosinesIn("c.md", vectorOf(0)),
    ];
    expect(cosines[0]?.[0]).toBeCloseTo(1, 1);
    expect(cosines[1]?.[1]).toBeCloseTo(1, 1);
    expect(cosines[2]).toEqual([null]);
  });

  test("a damaged file of version 1 is refused", async () => {
    const file = await read();
    for (let place = 12; place < file.length; place++)
      expect(await outcome(file.with(place, (file[place] ?? 0) ^ 64))).toBe("damaged_index");
    expect(await outcome(file.slice(0, 100))).toBe("damaged_index");
    expect(await outcome(file.with(8, 3))).toBe("unknown_index_version");
  });
});
