import fc from "fast-check";
import { expect, test } from "vitest";
import { parseQuery } from "../../shared/index/query.ts";
import { foldText, phraseTest, termsOf } from "../../shared/index/terms.ts";

const hasPhrase = (phrase: string) => {
  const test = phraseTest(phrase);
  return (text: string) => test(foldText(text));
};

test("a query is split into its text, phrases and exclusions", () => {
  expect(parseQuery('solar "heat pump" -noise -"old house"')).toEqual({
    text: "solar heat pump",
    phrases: ["heat pump"],
    excluded: ["noise", "old house"],
    unfinished: false,
  });
  expect(parseQuery("“warm water” state-of-the-art - dash")).toMatchObject({
    text: "warm water state-of-the-art - dash",
    phrases: ["warm water"],
    excluded: [],
    unfinished: true,
  });
  expect(parseQuery('an open "quotation')).toMatchObject({ text: "an open quotation", phrases: [], excluded: [] });
});

test("a query without operators keeps all its words, and any query's text is well-formed", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "grapheme", maxLength: 20 }), fc.constantFrom("heat pump", "café 冬 1931", "__proto__ and")),
      (text) => {
        const { text: plain, excluded } = parseQuery(text);
        expect(plain.isWellFormed()).toBe(true);
        if (!/["“”„«»-]/.test(text)) expect([plain, excluded]).toEqual([text.toWellFormed().replaceAll(/\s+/g, " ").trim(), []]);
      },
    ),
  );
});

test("the positions of terms are those of their words in any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      for (const { text: written, start, end } of termsOf(text)) expect(text.slice(start, end)).toBe(written);
    }),
  );
});

test("all forms of a word, with and without accents, have the same term", () => {
  const terms = (text: string) => termsOf(text).map(({ term }) => term);
  expect(new Set(terms("heating Heats heated HEAT"))).toEqual(new Set(["heat"]));
  expect(new Set(terms("café Cafe cafe\u0301 ＣＡＦＥ")).size).toBe(1);
  expect(terms("が か")).toEqual(["が", "か"]);
});

test("a phrase matches adjacent words, whatever the punctuation between them", () => {
  expect(hasPhrase("heat pump")("The Heat-Pump hums.")).toBe(true);
  expect(hasPhrase("heat pump")("heat pumps")).toBe(false);
  expect(hasPhrase("heat pump")("The pump gives heat")).toBe(false);
  expect(hasPhrase("東京都")("私は東京都に住んでいます")).toBe(true);
  expect(hasPhrase("(a|b)+$")("a b")).toBe(true);
  expect(hasPhrase("東京 tower")("東京tower")).toBe(true);
  expect(hasPhrase("東京 tower")("東京、Tower")).toBe(true);
  expect(hasPhrase("tower tower")("towertower")).toBe(false);
  expect(hasPhrase("𠮷野")("𠮷野家")).toBe(true);
});

// Time is not measured, since it depends on the machine: with exponential time this test would not end.
test("searching a long phrase without spaces takes time that does not double with each character", () => {
  const characters = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
  const phrase = `${characters.slice(0, -1)}龍`;
  const holds = hasPhrase(phrase);
  expect(holds(characters.repeat(20))).toBe(false);
  expect(holds(characters.repeat(20) + phrase)).toBe(true);
  expect(hasPhrase(" - ")("anything")).toBe(false);
});
