import fc from "fast-check";

/** A value, and what a counterexample shows instead of it. */
interface Large {
  readonly value: unknown;
  readonly of: unknown;
  readonly times: number;
}

const piece = fc.constantFrom("!", "a", "word ", "的", '"a" ', "-x ", "x-x ", "😀", "\u0301", "\u0000", " ", "\n", "\ud800", "[MASK]", "ﷺ");
/** Around the bounds of a query and of a text, and far beyond. */
const characters = fc.constantFrom(500, 2_000, 2_001, 8_192, 65_537, 200_000, 200_001, 2_000_000);
const element = fc.constantFrom<unknown>("a", "", "a/", 1, null, [], {}, "two words", "的的");
/** Around the bounds of a filter's values and of a request's texts, and far beyond. */
const elements = fc.constantFrom(17, 1_000, 1_001, 1_024, 1_025, 50_000, 1_000_000);

const largeText = fc.tuple(piece, characters).map(([of, length]): Large => {
  const times = Math.floor(length / of.length);
  return { value: of.repeat(times), of, times };
});
const largeList = fc.tuple(element, elements).map(([of, times]): Large => ({ value: Array.from({ length: times }, () => of), of, times }));
const largeObject = fc
  .constantFrom(1_000, 100_000)
  .map((times): Large => ({ value: Object.fromEntries(Array.from({ length: times }, (_, i) => [`k${i}`, i])), of: "keys", times }));

/** A text, a list or an object that is large, by what it repeats. */
export const largeValue: fc.Arbitrary<Large> = fc.oneof(
  { arbitrary: largeText, weight: 4 },
  { arbitrary: largeList, weight: 4 },
  { arbitrary: largeObject, weight: 1 },
);
