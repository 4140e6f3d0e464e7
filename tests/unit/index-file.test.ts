import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncoderError } from "../../shared/errors.ts";
import { type IndexFile, readIndexFile, writeIndexFile } from "../../shared/index/index-file.ts";
import { parseQuery } from "../../shared/index/query.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import { Segment, type SegmentArrays } from "../../shared/index/segment.ts";
import { type IndexDocument, SegmentBuilder } from "../../shared/index/segment-builder.ts";
import { type CodeGeometry, geometryOf, VectorCodec } from "../../shared/index/vector-codes.ts";
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
  return { id, title, text, fields: { tags: ["a", "b"], kind: "note" }, passages };
}

function contentsOf(documents: readonly IndexDocument[], own: CodeGeometry | null = geometry): IndexFile {
  const builder = new SegmentBuilder();
  for (const document of documents) builder.add(document);
  return { fingerprint, geometry: own, segments: [builder.finish(own)] };
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

interface Header {
  readonly analyzer: string;
  readonly fingerprint: string;
  readonly geometry: CodeGeometry | null;
  readonly segments: readonly { readonly lengths: readonly number[]; readonly sha256: string }[];
}

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

const alignedTo8 = (length: number) => Math.ceil(length / 8) * 8;

/** The header of a file and the bytes after it. */
function partsOf(file: Uint8Array): { readonly header: Header; readonly body: Uint8Array } {
  const length = new DataView(file.buffer, file.byteOffset).getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(48, 48 + length))) as Header; // written by writeIndexFile
  return { header, body: file.subarray(48 + length) };
}

/** A file of this header and body, with the checksum of the header. */
function assembled(header: string | object, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const padded = new Uint8Array(alignedTo8(json.length)).fill(32);
  padded.set(json);
  const fixed = new Uint8Array(16);
  fixed.set(new TextEncoder().encode("samevec\0"));
  new DataView(fixed.buffer).setUint32(8, 2, true);
  new DataView(fixed.buffer).setUint32(12, padded.length, true);
  return Uint8Array.from(Buffer.concat([fixed, sha256Of(padded), padded, body]));
}

/** The example's file with other lengths of sections, and the checksums that its bytes should have. */
async function withLengths(change: (lengths: number[]) => void): Promise<Uint8Array<ArrayBuffer>> {
  const { header, body } = partsOf(await writeIndexFile(example));
  const lengths = [...(header.segments[0]?.lengths ?? [])];
  change(lengths);
  const bytes = lengths.reduce((sum, length) => alignedTo8(sum + length), 0);
  const sha256 = sha256Of(body.subarray(0, bytes)).toString("hex");
  return assembled({ ...header, segments: [{ lengths, sha256 }] }, body.subarray(0, bytes));
}

const sectionArrays = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array };

/** Names and types of the sections, from the table in docs/index-file.md. */
async function documentedSections(): Promise<{ readonly name: string; readonly type: keyof typeof sectionArrays }[]> {
  const page = await readFile(new URL("../../docs/index-file.md", import.meta.url), "utf8");
  return Array.from(page.matchAll(/^\| `(\w+)` +\| (u8|u16|u32|f32) /gm), ([, name = "", type = ""]) => {
    return { name, type: type as keyof typeof sectionArrays }; // one of the alternatives of the expression
  });
}

/** The rotation of docs/index-file.md. */
function rotated(vector: Float32Array, { dimensions, seed }: CodeGeometry): number[] {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  let block = 1;
  while (dimensions % (2 * block) === 0) block *= 2;
  const rounds = block === 1 ? 2 : 1 + Math.ceil(Math.log(dimensions) / Math.log(block));
  let components = [...vector];
  for (let round = 0; round < rounds; round++) {
    const sources = Array.from({ length: dimensions }, (_, i) => i);
    for (let i = dimensions - 1; i > 0; i--) {
      const j = random() % (i + 1);
      const [a = 0, b = 0] = [sources[i], sources[j]];
      sources[i] = b;
      sources[j] = a;
    }
    const moved = sources.map((source) => ((random() & 0x8000) === 0 ? 1 : -1) * (components[source] ?? 0));
    components = moved.map((_, i) => {
      const within = i % block;
      const own = moved.slice(i - within, i - within + block);
      // The Walsh-Hadamard matrix has -1 where the places share an odd number of bits.
      const sum = own.reduce(
        (total, value, j) => total + ((within & j).toString(2).replaceAll("0", "").length % 2 === 0 ? value : -value),
        0,
      );
      return sum / Math.sqrt(block);
    });
  }
  return components;
}

describe("index file, version 2", () => {
  test.each([
    ["with vectors", geometry],
    ["without vectors", null],
  ])("an index file %s reads back as written, and equal contents give equal bytes", async (_, own) => {
    await fc.assert(
      fc.asyncProperty(documents, async (list) => {
        const made = list.map(({ id, title, text, seed }) => documentOf(id, title, text, seed));
        const contents = contentsOf(made, own);
        const file = await writeIndexFile(contents);
        const read = await readIndexFile(file);
        expect(read.geometry).toEqual(own);
        expect(read.segments.map(({ arrays }) => arrays)).toEqual(contents.segments.map(({ arrays }) => arrays));
        expect(await writeIndexFile(read)).toEqual(file);
        expect(await writeIndexFile(contentsOf(made.toReversed(), own))).toEqual(file);
        const [segment] = read.segments;
        for (const { id, title, text, passages } of made) {
          const place = segment?.ids.find(id) ?? -1;
          expect(segment?.document(place)).toMatchObject({ id, title, fields: { kind: "note", tags: ["a", "b"] } });
          expect(segment?.textOf(place)).toBe(text);
          const [first = -1] = segment?.passagesOf(place) ?? [];
          expect(segment?.passage(first)).toEqual({ start: 0, end: text.length, headings: [title, "Part"] });
          expect(segment?.codeAt(first)).toEqual(own && (passages[0]?.code ?? null));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("an index file has the layout described in docs/index-file.md", async () => {
    const file = await writeIndexFile(example);
    const view = new DataView(file.buffer);
    expect(new TextDecoder().decode(file.subarray(0, 8))).toBe("samevec\0");
    expect(view.getUint32(8, true)).toBe(2);
    const length = view.getUint32(12, true);
    expect(length % 8).toBe(0);
    expect(file.subarray(16, 48)).toEqual(Uint8Array.from(sha256Of(file.subarray(48, 48 + length))));
    const { header, body } = partsOf(file);
    const [entry] = header.segments;
    expect(header).toEqual({
      analyzer: "words-and-english-stems-1",
      fingerprint,
      geometry: { dimensions: 32, seed: 1, levels: geometry.levels },
      segments: [{ lengths: expect.any(Array), sha256: sha256Of(body).toString("hex") }],
    });
    const sections = await documentedSections();
    expect(entry?.lengths).toHaveLength(sections.length);
    let position = 0;
    for (const [i, { name, type }] of sections.entries()) {
      const end = position + (entry?.lengths[i] ?? 0);
      const Type = sectionArrays[type];
      expect(new Type(body.slice(position, end).buffer), name).toEqual(exampleArrays[name as keyof SegmentArrays]); // toEqual checks it
      position = alignedTo8(end);
      expect(body.subarray(end, position).every((byte) => byte === 0)).toBe(true);
    }
    expect(position).toBe(body.length);
  });

  test("an index file encodes documents, words, postings and texts as described in docs/index-file.md", async () => {
    const { idBytes, idOffsets, fieldBytes, documentFields, headingBytes, headingOffsets, passageHashes, documentTexts } = exampleArrays;
    const textsOf = (bytes: Uint8Array, offsets: Uint32Array) =>
      Array.from(offsets.subarray(1), (end, i) => new TextDecoder().decode(bytes.subarray(offsets[i], end)));
    expect(textsOf(idBytes, idOffsets)).toEqual(["a", "b", "c"]);
    expect(new TextDecoder().decode(fieldBytes)).toBe('{"kind":"note","tags":["a","b"]}');
    expect([...documentFields]).toEqual([0, 0, 0]);
    expect(textsOf(headingBytes, headingOffsets)).toEqual(['["Heating","Part"]', '["Tides","Part"]', '["Leer","Part"]']);
    expect(Buffer.from(passageHashes.subarray(0, 16)).toString("hex")).toBe(hashOf("Heatingheat pump and radiators").slice(0, 32));
    expect([...documentTexts]).toEqual([0, 23, 45, 56]);

    const { wordBytes, wordOffsets, wordCounts, postingOffsets, postings, termBytes, termOffsets, wordTerms } = exampleArrays;
    const words = textsOf(wordBytes, wordOffsets);
    const terms = textsOf(termBytes, termOffsets);
    const entryOf = (word: string) => {
      const i = words.indexOf(word);
      return [wordCounts[i], [...postings.subarray(postingOffsets[i], postingOffsets[i + 1])], terms[wordTerms[i] ?? -1]];
    };
    // Once in the text of passage 0 (distance 0) and 1 (distance 0 after passage 0).
    expect(entryOf("and")).toEqual([2, [0, 0], "and"]);
    // Once in the title of passage 0.
    expect(entryOf("heating")).toEqual([1, [1, 1 << 6], "heat"]);
    // Once in the headings of each passage: the title is left out.
    expect(entryOf("part")).toEqual([3, [1, 1 << 4, 1, 1 << 4, 1, 1 << 4], "part"]);
    // Once in the text of passage 2, behind two others.
    expect(entryOf("nur")).toEqual([1, [2 << 1], "nur"]);

    const { blockStarts, blockOffsets, blocks } = exampleArrays;
    expect([...blockStarts]).toEqual([0, 23, 45, 56]);
    expect(inflateRawSync(blocks.subarray(blockOffsets[1], blockOffsets[2])).toString()).toBe("the sea comes and goes");
    const long = contentsOf([documentOf("a", "A", `${"x".repeat(8191)}😀${"y".repeat(9000)}`, null)]).segments[0]?.arrays;
    expect([...(long?.blockStarts ?? [])]).toEqual([0, 8191, 16383, 17193]);
  });

  test.each([32, 33, 96, 384])("an index file encodes vectors of %i dimensions as described in docs/index-file.md", (dimensions) => {
    const own = geometryOf(dimensions);
    const components = Array.from({ length: dimensions }, (_, i) => Math.sin(i * i + 1));
    const vector = Float32Array.from(components, (component) => component / Math.hypot(...components));
    const { code, scale } = new VectorCodec(own).encode(vector);
    const turned = rotated(vector, own);
    const unit = (127 / 2.7326) * Math.sqrt(dimensions);
    const values = Array.from({ length: 2 * code.length }, (_, i) => {
      const byte = code[16 * Math.floor(i / 32) + (i % 16)] ?? 0;
      return i % 32 < 16 ? byte & 15 : byte >> 4;
    });
    expect(values.slice(dimensions)).toEqual(new Array(values.length - dimensions).fill(0));
    const levels = turned.map((component, i) => {
      const level = own.levels[values[i] ?? 0] ?? 0;
      const nearest = Math.min(...own.levels.map((each) => Math.abs(each - component * unit)));
      expect(Math.abs(level - component * unit)).toBeCloseTo(nearest, 6);
      return level;
    });
    const product = turned.reduce((sum, component, i) => sum + component * (levels[i] ?? 0), 0);
    expect(scale * product).toBeCloseTo(1, 5);
  });

  test.each<[string, IndexFile]>([
    ["with documents", example],
    ["without documents", { fingerprint, geometry: null, segments: [] }],
  ])("an index file %s is rejected when any byte is changed or it is truncated anywhere", async (_, contents) => {
    const file = await writeIndexFile(contents);
    for (let place = 0; place < file.length; place++) {
      const expected = place < 8 ? "not_an_index" : place < 12 ? "unknown_index_version" : "damaged_index";
      for (const bits of [1, 64, 255]) expect(await outcome(file.with(place, (file[place] ?? 0) ^ bits))).toBe(expected);
      expect(await outcome(file.slice(0, place))).toBe(place < 8 ? "not_an_index" : "damaged_index");
    }
    expect(await outcome(file.with(8, 1))).toBe("damaged_index");
    expect(await outcome(Uint8Array.of(...file, 0))).toBe("damaged_index");
  });

  test("random bytes, alone or after a valid beginning, are rejected as an index file", async () => {
    const file = await writeIndexFile(example);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(200), async (noise, kept) => {
        expect(await outcome(Uint8Array.from(noise))).toBeTypeOf("string");
        expect(await outcome(Uint8Array.of(...file.slice(0, kept), ...noise))).toBeTypeOf("string");
      }),
    );
  });

  test("an index file whose bytes are not aligned in memory is read", async () => {
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
    ["a document too few", { idBytes: encode("ab"), idOffsets: Uint32Array.of(0, 1, 2) }],
    ["titles of fewer documents", { titleOffsets: exampleArrays.titleOffsets.slice(1) }],
    ["strings without an end", { fieldOffsets: new Uint32Array() }],
    ["terms out of order", { termBytes: exampleArrays.termBytes.toReversed() }],
    ["fields of another type", { fieldBytes: encode('{"kind":{}}'), fieldOffsets: Uint32Array.of(0, 11) }],
    ["headings that are not JSON", { headingBytes: exampleArrays.headingBytes.with(1, 0) }],
    ["titles that are not UTF-8", { titleBytes: exampleArrays.titleBytes.with(0, 255) }],
    ["a passage behind the end of its text", { passageEnds: exampleArrays.passageEnds.with(0, 24) }],
    ["a passage without length", { passageEnds: exampleArrays.passageEnds.with(0, 0) }],
    ["fewer passages than the documents have", { documentPassages: Uint32Array.of(0, 1, 2, 2) }],
    ["fewer hashes than passages", { passageHashes: exampleArrays.passageHashes.slice(1) }],
    ["fewer codes than passages", { codes: exampleArrays.codes.slice(1) }],
    ["a scale that is not a number", { codeScales: Float32Array.of(Number.NaN, 0, 0) }],
    ["a negative scale", { codeScales: Float32Array.of(-0.1, 0, 0) }],
    ["a scale of 1", { codeScales: Float32Array.of(1, 0, 0) }],
    ["fewer scales than passages", { codeScales: Float32Array.of(0, 0) }],
    ["fewer word counts than words", { wordCounts: exampleArrays.wordCounts.slice(1) }],
    ["fewer lengths than passages", { textLengths: exampleArrays.textLengths.slice(1) }],
    ["fewer readable marks than passages", { passageReadable: exampleArrays.passageReadable.slice(1) }],
    ["a term that does not exist", { wordTerms: exampleArrays.wordTerms.with(0, 99) }],
    ["words out of order", { wordBytes: exampleArrays.wordBytes.toReversed() }],
    ["postings of more passages than bytes", { wordCounts: exampleArrays.wordCounts.with(0, 99) }],
    ["postings of no passage", { wordCounts: exampleArrays.wordCounts.with(0, 0) }],
    ["postings that do not end", { postings: exampleArrays.postings.map(() => 255) }],
    ["postings of a passage that does not exist", { postings: exampleArrays.postings.with(0, 40) }],
    ["a text that does not start with a block", { blockStarts: exampleArrays.blockStarts.with(1, 22) }],
    ["postings without occurrences", { postings: exampleArrays.postings.map((byte) => (byte === 1 << 6 ? 0 : byte)) }],
    ["a block that ends before the texts", { blockStarts: exampleArrays.blockStarts.with(3, 55) }],
    [
      "a block without length",
      { blockStarts: Uint32Array.of(0, 23, 23, 45, 56), blockOffsets: Uint32Array.of(0, ...exampleArrays.blockOffsets) },
    ],
    ["a block of more bytes than its text can take", { blocks: new Uint8Array(300), blockOffsets: Uint32Array.of(0, 298, 299, 300) }],
  ])("an index file with valid checksums but %s is rejected", async (_, change) => {
    expect(await outcome(await forged(change))).toBe("invalid_index");
  });

  test("an index file with a block of more than 8,192 code units is rejected", async () => {
    const [segment] = contentsOf([documentOf("a", "A", "x".repeat(8193), null)]).segments;
    const arrays = segment?.arrays ?? exampleArrays;
    expect([...arrays.blockStarts]).toEqual([0, 8192, 8193]);
    const one = { ...arrays, blockStarts: Uint32Array.of(0, 8193), blockOffsets: Uint32Array.of(0, arrays.blocks.length) };
    expect(await outcome(await forged(arrays))).toMatchObject({ fingerprint });
    expect(await outcome(await forged(one))).toBe("invalid_index");
  });

  test("an index file whose passages all overlap is rejected", async () => {
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

  test.each<[string, CodeGeometry | null]>([
    ["1024 dimensions", geometryOf(1024)],
    ["more dimensions than allowed", { ...geometry, dimensions: 1e9 }],
    ["a broken number of dimensions", { ...geometry, dimensions: 31.5 }],
    ["a negative seed", { ...geometry, seed: -1 }],
    ["15 levels", { ...geometry, levels: geometry.levels.slice(1) }],
    ["a level beyond i8", { ...geometry, levels: geometry.levels.with(0, -200) }],
    ["no geometry", null],
  ])("an index file with codes of 32 dimensions is rejected when its header declares %s", async (_, other) => {
    expect(await outcome(await forged({}, { geometry: other }))).toBe("invalid_index");
  });

  test("an index file is rejected when its dimensions differ from its codes, or when it has scales without codes", async () => {
    const wide = geometryOf(384);
    const segment = new Segment({ ...exampleArrays, codes: new Uint8Array(3 * 192) }, wide);
    expect(await outcome(await writeIndexFile({ ...example, geometry: geometryOf(1), segments: [segment] }))).toBe("invalid_index");
    expect(await outcome(await writeIndexFile({ ...example, geometry: wide, segments: [segment] }))).toMatchObject({ geometry: wide });
    expect(await outcome(await forged({ codes: new Uint8Array() }, { geometry: null }))).toBe("invalid_index");
  });

  test.each<[string, (header: Header) => string | object]>([
    ["that is not JSON", () => "{"],
    ["that is null", () => "null"],
    ["of more than 1 MiB", (header) => JSON.stringify(header).padEnd((1 << 20) + 1)],
    ["with a field too many", (header) => ({ ...header, note: "" })],
    ["of another analyzer", (header) => ({ ...header, analyzer: "words-2" })],
    ["whose fingerprint is not hex", (header) => ({ ...header, fingerprint: "x".repeat(64) })],
    ["without segments", ({ analyzer, geometry }) => ({ analyzer, fingerprint, geometry })],
    ["with more than 1,024 segments", (header) => ({ ...header, segments: new Array(1025).fill(header.segments[0]) })],
    [
      "with a length too few",
      (header) => ({ ...header, segments: header.segments.map((each) => ({ ...each, lengths: each.lengths.slice(1) })) }),
    ],
    [
      "with a negative length",
      (header) => ({ ...header, segments: header.segments.map((each) => ({ ...each, lengths: each.lengths.with(0, -8) })) }),
    ],
  ])("an index file with a header %s is rejected", async (_, change) => {
    const { header, body } = partsOf(await writeIndexFile(example));
    expect(await outcome(assembled(header, body))).toMatchObject({ fingerprint });
    expect(await outcome(assembled(change(header), body))).toBe("invalid_index");
  });

  test("an index file whose sections have wrong lengths is rejected despite valid checksums", async () => {
    const names = Object.keys(exampleArrays);
    await fc.assert(
      fc.asyncProperty(fc.nat(names.length - 1), fc.nat(names.length - 1), fc.integer({ min: 1, max: 40 }), async (from, to, moved) => {
        const file = await withLengths((lengths) => {
          lengths[from] = Math.max(0, (lengths[from] ?? 0) - moved);
          lengths[to] = (lengths[to] ?? 0) + moved;
        });
        const read = await outcome(file);
        if (typeof read !== "string") await useAll(read);
        else expect(["invalid_index", "damaged_index"]).toContain(read);
      }),
      { numRuns: 500 },
    );
  });

  test("an index file that declares more memory than it has bytes is rejected without allocating it", async () => {
    const { header, body } = partsOf(await writeIndexFile(example));
    const lengths = (header.segments[0]?.lengths ?? []).map(() => 0xffffffff);
    const huge = assembled({ ...header, segments: new Array(1024).fill({ lengths, sha256: "0".repeat(64) }) }, body);
    expect(await outcome(huge)).toBe("damaged_index");

    // One word with as many postings as bytes, which would be decoded to ten times the memory.
    const { words, postings } = { words: exampleArrays.wordTerms.length, postings: new Uint8Array(4_000_000) };
    const file = await forged({
      postings,
      postingOffsets: new Uint32Array(words + 1).fill(postings.length, 1),
      wordCounts: exampleArrays.wordCounts.with(0, postings.length),
    });
    const before = process.memoryUsage().arrayBuffers;
    expect(await outcome(file)).toBe("invalid_index");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * file.length);
  });

  test("compressed texts of an index file that cannot be decompressed are reported when read", async () => {
    const { blocks, blockOffsets } = exampleArrays;
    for (const forgedBlocks of [new Uint8Array(blocks.length), blocks.map(() => 255), blocks.toReversed()]) {
      const read = await readIndexFile(await forged({ blocks: forgedBlocks }));
      expect(() => read.segments[0]?.textOf(0)).toThrow(expect.objectContaining({ code: "invalid_index" }));
    }
    // The blocks of the first and second text are exchanged: their lengths differ.
    const [, second = 0, third = 0] = blockOffsets;
    const exchanged = Uint8Array.of(...blocks.subarray(second, third), ...blocks.subarray(0, second), ...blocks.subarray(third));
    const read = await readIndexFile(await forged({ blocks: exchanged, blockOffsets: blockOffsets.with(1, third - second) }));
    expect(() => read.segments[0]?.textOf(0)).toThrow(expect.objectContaining({ code: "invalid_index" }));
    expect(read.segments[0]?.textOf(2)).toBe("nur deutsch");
  });

  test("an index file with forged bytes is rejected or gives wrong answers at worst", async () => {
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
  const again = await writeIndexFile({ fingerprint, geometry: index.geometry, segments: [await index.snapshot()] });
  expect(await outcome(again)).toMatchObject({ fingerprint });
}

describe("index file, version 1", () => {
  const read = async () => new Uint8Array(await readFile(new URL("../fixtures/index-1.samevec", import.meta.url)));

  test("an index file of version 1 is converted with its texts, passages and vectors", async () => {
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

  test("a converted index file of version 1 can be written as version 2 and read again", async () => {
    const converted = await openIndexFile(await read());
    const again = await openIndexFile(await writeIndexFile(converted));
    expect(again.segments.map(({ arrays }) => arrays)).toEqual(converted.segments.map(({ arrays }) => arrays));
  });

  test("a damaged index file of version 1 is rejected", async () => {
    const file = await read();
    for (let place = 12; place < file.length; place++) {
      expect(await outcome(file.with(place, (file[place] ?? 0) ^ 64))).toBe("damaged_index");
      expect(await outcome(file.slice(0, place))).toBe("damaged_index");
    }
    expect(await outcome(Uint8Array.of(...file, 0))).toBe("damaged_index");
    expect(await outcome(file.with(8, 3))).toBe("unknown_index_version");
    expect(await outcome(file.with(8, 0))).toBe("unknown_index_version");
  });

  const vector = Float32Array.from({ length: 32 }, () => Math.sqrt(1 / 32));
  const passage = [0, 4, ["A"], 0];
  const document = { id: "a", title: "A", kind: "note", text: "heat", passages: [passage] };
  const good: Contents1 = { dimensions: 32, documents: [document], vectors: [vector] };

  test.each<[string, Partial<Contents1>]>([
    ["documents that are not JSON", { documents: "[" }],
    ["a document without a text", { documents: [{ ...document, text: undefined }] }],
    ["documents out of order", { documents: [{ ...document, id: "b" }, document] }],
    ["a document twice", { documents: [document, document] }],
    ["an id with half a surrogate pair", { documents: [{ ...document, id: "\ud800" }] }],
    ["a text with half a surrogate pair", { documents: [{ ...document, text: "hea\ud800" }] }],
    ["a passage behind the end of its text", { documents: [{ ...document, passages: [[0, 5, [], 0]] }] }],
    ["a passage that is not after the one before", { documents: [{ ...document, passages: [passage, passage] }] }],
    ["a vector that does not exist", { documents: [{ ...document, passages: [[0, 4, [], 1]] }] }],
    ["a vector that is not normalized", { vectors: [vector.map((component) => component * 2)] }],
    ["a vector that is not a number", { vectors: [vector.with(0, Number.NaN)] }],
    ["vectors of other dimensions", { dimensions: 16 }],
    ["vectors of no dimensions", { dimensions: 0, vectors: [] }],
    ["vectors of more dimensions than version 2 has", { dimensions: 8192, vectors: [new Float32Array(8192).with(0, 1)] }],
    ["another number of documents", { counts: [2, 1] }],
    ["another number of passages", { counts: [1, 2] }],
  ])("an index file of version 1 with valid checksums but %s is rejected", async (_, change) => {
    expect(await outcome(forged1(good))).toMatchObject({ geometry: { dimensions: 32 } });
    expect(await outcome(forged1({ ...good, ...change }))).toBe("invalid_index");
  });
});

interface Contents1 {
  readonly dimensions: number;
  readonly documents: string | readonly { readonly passages: readonly unknown[]; readonly [field: string]: unknown }[];
  readonly vectors: readonly Float32Array[];
  /** Of documents and passages; default the right ones. */
  readonly counts?: readonly [documents: number, passages: number];
}

/** A file of version 1 with any contents and right checksums. */
function forged1({ dimensions, documents, vectors, counts }: Contents1): Uint8Array<ArrayBuffer> {
  const list = typeof documents === "string" ? [] : documents;
  const bodies = [
    Buffer.from(typeof documents === "string" ? documents : JSON.stringify(documents)),
    Buffer.concat(vectors.map((vector) => new Uint8Array(vector.buffer))),
    Buffer.alloc(0),
  ];
  const header = Buffer.alloc(168);
  header.write("samevec\0");
  const [documentCount, passageCount] = counts ?? [list.length, list.reduce((sum, { passages }) => sum + passages.length, 0)];
  for (const [i, value] of [1, dimensions, documentCount, passageCount, vectors.length].entries()) header.writeUInt32LE(value, 8 + 4 * i);
  header.write(fingerprint, 28, "hex");
  for (const [i, body] of bodies.entries()) {
    header.writeUInt32LE(body.length, 60 + 36 * i);
    header.set(sha256Of(body), 64 + 36 * i);
  }
  return Uint8Array.from(Buffer.concat([header, sha256Of(header), ...bodies]));
}
