import fc from "fast-check";
import { expect, test } from "vitest";
import { wordsOf } from "../../shared/index/spans.ts";

const segmenter = new Intl.Segmenter("en", { granularity: "word" });

const segmented = (text: string) =>
  Array.from(segmenter.segment(text))
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment, index }) => ({ text: segment, start: index, end: index + segment.length }));

test("the fast path for Latin text finds the same words as Intl.Segmenter", () => {
  const unit = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(..."abzAZé019 ") },
    { weight: 4, arbitrary: fc.constantFrom(..."_.:,;'‘’“”–—…-@/\\\"()\n\r\t×÷ßÿ#&+*") },
    { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 1 }) },
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
      expect(wordsOf(text)).toEqual(segmented(text));
    }),
    { numRuns: 20_000 },
  );
});

test("words of other scripts are segmented by Intl.Segmenter", () => {
  for (const text of ["東京都に住む", "снег и лёд", "naïve cafe\u0301", "ภาษาไทย", "l·l it’s 3·4"])
    expect(wordsOf(text)).toEqual(segmented(text));
});
