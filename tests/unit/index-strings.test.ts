import fc from "fast-check";
import { expect, test } from "vitest";
import { bitCount, compareCodePoints, SortedStrings, StringTable } from "../../shared/index/strings.ts";

/** Letters of one to four bytes of UTF-8; U+FFFD and U+1D49C have another order as UTF-16. U+FEFF is a byte order mark. */
const unit = fc.constantFrom(..."abcdeéß東\uFEFF\uFFFD𝒜𠮷");
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit, maxLength: 6 }) },
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom(..."abcde"), maxLength: 6 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }).map((any) => any.toWellFormed()) },
);
const distinct = fc.uniqueArray(text, { maxLength: 40 });

const isAscii = (any: string) => new TextEncoder().encode(any).length === any.length;

test("a string table returns the well-formed strings it was built from", () => {
  fc.assert(
    fc.property(fc.array(text), (strings) => {
      const table = StringTable.of(strings);
      expect(table.size).toBe(strings.length);
      expect([...table]).toEqual(strings);
    }),
  );
});

test("a string table sorts strings by their UTF-8 bytes", () => {
  fc.assert(
    fc.property(distinct, (strings) => {
      const expected = strings.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect([...SortedStrings.of(strings)]).toEqual(expected);
      for (const a of strings)
        for (const b of strings) expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test("a string table finds a string at its position and does not find an absent string", () => {
  fc.assert(
    fc.property(distinct, text, (strings, other) => {
      const sorted = SortedStrings.of(strings);
      const list = [...sorted];
      for (const wanted of [...strings, other]) expect(sorted.find(wanted)).toBe(list.indexOf(wanted));
    }),
  );
});

test("a prefix range contains exactly the strings that start with the prefix", () => {
  fc.assert(
    fc.property(distinct, text, fc.nat(3), (strings, other, length) => {
      const sorted = SortedStrings.of(strings);
      const list = [...sorted];
      const prefixes = strings.map((each) => Array.from(each).slice(0, length).join(""));
      for (const prefix of ["", other, ...prefixes]) {
        expect(list.slice(...sorted.rangeOf(prefix))).toEqual(list.filter((each) => each.startsWith(prefix)));
      }
    }),
  );
});

test("the similar strings are those within the edit distance", () => {
  fc.assert(
    fc.property(distinct, text, fc.nat(3), (strings, wanted, maxDistance) => {
      const sorted = SortedStrings.of(strings);
      const found = sorted.similar(wanted, maxDistance).map((position) => sorted.get(position));
      const expected = [...sorted].filter((each) => editDistance(Array.from(wanted), Array.from(each)) <= maxDistance);
      // Strings beyond ASCII that are similar to one in ASCII may be missed.
      if (isAscii(wanted)) {
        expect(found.filter(isAscii)).toEqual(expected.filter(isAscii));
        expect(expected).toEqual(expect.arrayContaining(found));
      } else expect(found).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test("a string table compares strings of more than 255 bytes in full", () => {
  const long = "a".repeat(300);
  const sorted = SortedStrings.of([long, `${long}b`, `${long}bbb`, "a".repeat(255)]);
  expect(sorted.similar(long, 1).map((position) => sorted.get(position))).toEqual([long, `${long}b`]);
});

test("the bit count of any 32-bit integer is correct", () => {
  fc.assert(
    fc.property(fc.integer(), (bits) => {
      expect(bitCount(bits)).toBe((bits >>> 0).toString(2).replaceAll("0", "").length);
    }),
  );
});

/** The optimal string alignment distance, by its recursive definition. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  const known = new Map<string, number>();
  const distance = (i: number, j: number): number => {
    if (i === 0 || j === 0) return i + j;
    const key = `${i} ${j}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const options = [distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)];
    if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) options.push(distance(i - 2, j - 2) + 1);
    const least = Math.min(...options);
    known.set(key, least);
    return least;
  };
  return distance(a.length, b.length);
}
