import fc from "fast-check";
import { expect, test } from "vitest";
import { FormatError } from "../../shared/index/format-error.ts";
import { checkPostings, PostingsReader, PostingsWriter, packOccurrences, spreadOccurrences } from "../../shared/index/postings.ts";

type Posting = readonly [passage: number, occurrences: number];

const postingsBelow = (passages: number, maxLength: number) =>
  fc
    .uniqueArray(fc.tuple(fc.nat(passages - 1), fc.integer({ min: 1, max: 255 })), {
      selector: ([passage]) => passage,
      minLength: 1,
      maxLength,
    })
    .map((list): Posting[] => list.sort(([a], [b]) => a - b));

/** The postings of several terms, one after the other. */
function written(terms: readonly (readonly Posting[])[]) {
  const writers = terms.map((postings) => {
    const writer = new PostingsWriter();
    for (const [passage, occurrences] of postings) writer.add(passage, occurrences);
    return writer;
  });
  const offsets = new Uint32Array(terms.length + 1);
  for (const [i, { bytes }] of writers.entries()) offsets[i + 1] = (offsets[i] ?? 0) + bytes.length;
  return {
    bytes: Uint8Array.from(Buffer.concat(writers.map(({ bytes }) => bytes))),
    offsets,
    counts: Uint32Array.from(writers, ({ count }) => count),
  };
}

function decoded(reader: PostingsReader, bytes: Uint8Array, from: number, count: number): { postings: Posting[]; end: number } {
  const end = reader.decode(bytes, from, count);
  return { postings: Array.from({ length: count }, (_, i) => [reader.passages[i] ?? -1, reader.occurrences[i] ?? -1]), end };
}

test("postings of several terms are decoded as written and pass validation", () => {
  const passages = fc.constantFrom(40, 1000, 2 ** 32 - 1);
  fc.assert(
    fc.property(
      passages.chain((number) => fc.tuple(fc.constant(number), fc.array(postingsBelow(number, 40), { maxLength: 5 }))),
      ([number, terms]) => {
        const { bytes, offsets, counts } = written(terms);
        const reader = new PostingsReader();
        for (const [i, postings] of terms.entries()) {
          expect(decoded(reader, bytes, offsets[i] ?? 0, counts[i] ?? 0)).toEqual({ postings, end: offsets[i + 1] });
        }
        expect(() => checkPostings(bytes, offsets, counts, number)).not.toThrow();
      },
    ),
  );
});

test("a postings reader grows when it decodes more postings than it has room for", () => {
  const postings = Array.from({ length: 5000 }, (_, i): Posting => [3 * i, 1 + (i % 255)]);
  const { bytes, counts } = written([postings]);
  expect(decoded(new PostingsReader(), bytes, 0, counts[0] ?? 0)).toEqual({ postings, end: bytes.length });
});

test("postings take one byte for a passage that directly follows the previous one with one occurrence in its text", () => {
  expect(written([Array.from({ length: 10 }, (_, i): Posting => [i, packOccurrences({ title: 0, headings: 0, text: 1 })])]).bytes).toEqual(
    new Uint8Array(10),
  );
});

test("postings count up to 3 occurrences in titles, 3 in headings and 15 in texts", () => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), fc.nat(20), (title, headings, text) => {
      const spread = spreadOccurrences[packOccurrences({ title, headings, text })] ?? 0;
      expect([spread >> 16, (spread >> 8) & 255, spread & 255]).toEqual([Math.min(3, title), Math.min(3, headings), Math.min(15, text)]);
    }),
  );
});

test("postings that are truncated or continue after their term are rejected", () => {
  fc.assert(
    fc.property(postingsBelow(1000, 20), (postings) => {
      const { bytes, counts } = written([postings]);
      const check = (given: Uint8Array) => () => checkPostings(given, Uint32Array.of(0, given.length), counts, 1000);
      for (let length = 0; length < bytes.length; length++) expect(check(bytes.slice(0, length))).toThrow(FormatError);
      expect(check(Uint8Array.of(...bytes, 0))).toThrow(FormatError);
    }),
  );
});

test.each<[string, readonly number[], number]>([
  ["no passage", [], 0],
  ["more passages than bytes", [0, 0], 3],
  ["more passages than the segment has", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 11],
  ["a passage that the segment does not have", [20], 1],
  ["no occurrences in a passage", [1, 0], 1],
  ["a number that does not end", [0x80], 1],
  ["a number of a thousand bytes that does not end", new Array<number>(1000).fill(0xff), 1],
  ["numbers that do not end", new Array<number>(1000).fill(0xff), 10],
])("postings with %s are rejected", (_, bytes, count) => {
  expect(() => checkPostings(Uint8Array.from(bytes), Uint32Array.of(0, bytes.length), Uint32Array.of(count), 10)).toThrow(FormatError);
});

test("arbitrary bytes are rejected as postings, or decoded to ascending passages with occurrences", () => {
  const noise = fc.uint8Array({ maxLength: 40 });
  const damaged = fc.tuple(postingsBelow(50, 20), fc.nat(), fc.nat(255)).map(([postings, place, byte]) => {
    const { bytes } = written([postings]);
    return bytes.with(place % bytes.length, byte);
  });
  const long = fc.tuple(fc.constantFrom(0x80, 0x81, 0xff), fc.nat(400), noise).map(([byte, length, rest]) => {
    return Uint8Array.of(...new Uint8Array(length).fill(byte), ...rest);
  });
  fc.assert(
    fc.property(fc.oneof(noise, damaged, long), fc.nat(50), (bytes, count) => {
      try {
        checkPostings(bytes, Uint32Array.of(0, bytes.length), Uint32Array.of(count), 50);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        return;
      }
      const { postings, end } = decoded(new PostingsReader(), bytes, 0, count);
      expect(end).toBe(bytes.length);
      for (const [i, [passage, occurrences]] of postings.entries()) {
        expect(passage).toBeGreaterThan(postings[i - 1]?.[0] ?? -1);
        expect(passage).toBeLessThan(50);
        expect(occurrences).toBeGreaterThan(0);
      }
    }),
    { numRuns: 1000 },
  );
});
