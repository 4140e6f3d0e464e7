import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "../../shared/index/bytes.ts";
import { parseQuery } from "../../shared/index/query.ts";
import { foldText, phraseTest, termsOf } from "../../shared/index/terms.ts";
import { LexicalIndex } from "../../shared/search/lexical-index.ts";

const word = fc.constantFrom(
  "heat",
  "heating",
  "pump",
  "café",
  "house",
  "noise",
  "冬",
  "東京",
  "die",
  "__proto__",
  "constructor",
  "1931",
  "and",
);
const sentence = fc.array(word, { maxLength: 8 }).map((words) => words.join(" "));

/** An index of texts, whose keys are their places. */
const hasPhrase = (phrase: string) => {
  const test = phraseTest(phrase);
  return (text: string) => test(foldText(text));
};

function indexOf(texts: readonly string[]): LexicalIndex {
  const index = new LexicalIndex((key) => texts[key] ?? "");
  for (const [key, text] of texts.entries()) index.add({ key, title: "", text });
  return index;
}

const find = (texts: readonly string[], query: string) => {
  const index = indexOf(texts);
  const parsed = parseQuery(query);
  return index.search(parsed, { accept: index.operatorTest(parsed) ?? (() => true) }).map(({ key }) => key);
};

describe("a query", () => {
  test("is split at its operators", () => {
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

  test("of any text is split without loss of a word", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "grapheme", maxLength: 20 }), sentence), (text) => {
        const { text: plain, excluded } = parseQuery(text);
        expect(plain.isWellFormed()).toBe(true);
        if (!/["“”„«»-]/.test(text)) expect([plain, excluded]).toEqual([text.toWellFormed().replaceAll(/\s+/g, " ").trim(), []]);
      }),
    );
  });
});

describe("terms", () => {
  test("stand where they say, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        for (const { text: written, start, end } of termsOf(text)) expect(text.slice(start, end)).toBe(written);
      }),
    );
  });

  test("are one for a word's forms and accents", () => {
    const terms = (text: string) => termsOf(text).map(({ term }) => term);
    expect(new Set(terms("heating Heats heated HEAT"))).toEqual(new Set(["heat"]));
    expect(new Set(terms("café Cafe cafe\u0301 ＣＡＦＥ")).size).toBe(1);
    expect(terms("が か")).toEqual(["が", "か"]);
  });

  test("find a phrase word for word, whatever its signs", () => {
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

  // A test of time would be one of the machine: one that takes twice as long with each character never ends here.
  test("tell that a long phrase without spaces is missing, as fast as that it is there", () => {
    const characters = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
    const phrase = `${characters.slice(0, -1)}龍`;
    const holds = hasPhrase(phrase);
    expect(holds(characters.repeat(20))).toBe(false);
    expect(holds(characters.repeat(20) + phrase)).toBe(true);
    expect(hasPhrase(" - ")("anything")).toBe(false);
  });
});

describe("the index of words", () => {
  test("finds every passage that has a word of the query, and no other", () => {
    fc.assert(
      fc.property(fc.array(sentence, { maxLength: 12 }), word, (texts, query) => {
        const [asked] = termsOf(query);
        const having = texts.flatMap((text, key) => (termsOf(text).some(({ term }) => term === asked?.term) ? [key] : []));
        // Without any, it answers with words that are spelled nearly so.
        if (having.length > 0) expect(find(texts, `${query} `).sort((a, b) => a - b)).toEqual(having);
      }),
    );
  });

  test("keeps to phrases and exclusions", () => {
    fc.assert(
      fc.property(fc.array(sentence, { maxLength: 12 }), word, word, word, (texts, first, second, excluded) => {
        const phrase = hasPhrase(`${first} ${second}`);
        const banned = hasPhrase(excluded);
        const expected = texts.flatMap((text, key) => (phrase(text) && !banned(text) ? [key] : []));
        expect(find(texts, `"${first} ${second}" -${excluded}`).sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  test("searches the first 32 distinct terms of a query", () => {
    const words = Array.from({ length: 40 }, (_, i) => `term${i}`);
    const index = indexOf([words.slice(0, 32).join(" "), words.slice(32).join(" ")]);
    expect(index.search(parseQuery(`${words.join(" ")} `))).toMatchObject([{ key: 0, share: 1 }]);
  });

  test("finds Chinese and Japanese words, forms of a word, beginnings of the last one, and misspelled ones", () => {
    const texts = ["私は東京に住んでいます。", "热泵整夜运行，但早上房子很冷。", "The radiators were cold.", "A heat pump"];
    expect(find(texts, "東京")).toEqual([0]);
    expect(find(texts, "热泵")).toEqual([1]);
    expect(find(texts, "radiator")).toEqual([2]);
    expect(find(texts, "cold rad")).toEqual([2]);
    expect(find(texts, "rad ")).toEqual([]);
    expect(find(texts, "rediator ")).toEqual([2]);
    expect(find(texts, "the heat")).toEqual([3]);
    expect(find(texts, "the")).toEqual([2]);
  });

  test("forgets what was removed", () => {
    const index = indexOf(["heat", "heat pump"]);
    index.remove(1);
    expect(index.search(parseQuery("pump heat ")).map(({ key }) => key)).toEqual([0]);
    expect(index.size).toBe(1);
  });

  test("is the same after it was written and read, and its bytes depend on the passages alone", () => {
    fc.assert(
      fc.property(fc.array(sentence, { maxLength: 8 }), fc.array(sentence, { maxLength: 3 }), sentence, (texts, removed, query) => {
        const all = [...texts, ...removed];
        const index = indexOf(all);
        for (const key of removed.keys()) index.remove(texts.length + key);
        const bytes = index.toBytes([...texts.keys()]);
        expect(bytes).toEqual(indexOf(texts).toBytes([...texts.keys()]));
        const read = LexicalIndex.fromBytes(new ByteReader(bytes), [...texts.keys()], (key) => texts[key] ?? "");
        expect(read.toBytes([...texts.keys()])).toEqual(bytes);
        // The mean length of a passage is kept running, so its last bit depends on the way to it; equal scores may then change places.
        const found = (index: LexicalIndex) =>
          index
            .search(parseQuery(query))
            .map((hit) => ({ ...hit, score: expect.closeTo(hit.score, 9) }))
            .sort((a, b) => a.key - b.key);
        expect(read.search(parseQuery(query)).toSorted((a, b) => a.key - b.key)).toEqual(found(indexOf(texts)));
      }),
    );
  });

  test("refuses bytes that are not such an index, and gets nothing worse than wrong answers from those that are", () => {
    const bytes = indexOf(["heat pump", "a house"]).toBytes([0, 1]);
    const read = (given: Uint8Array) => LexicalIndex.fromBytes(new ByteReader(given), [0, 1], () => "");
    for (let length = 0; length < bytes.length; length++) expect(() => read(bytes.slice(0, length))).toThrow(FormatError);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const damaged = bytes.with(place, (bytes[place] ?? 0) ^ flip);
        try {
          read(damaged).search(parseQuery("heat"));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        expect(() => read(Uint8Array.of(2, ...noise, 1))).toThrow(FormatError);
      }),
    );
  });
});

test("numbers are read as they were written, and refused in any longer form", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffffffff)), (numbers) => {
      const writer = new ByteWriter();
      for (const number of numbers) writer.varint(number);
      const reader = new ByteReader(writer.finish());
      expect(numbers.map(() => reader.varint())).toEqual(numbers);
      expect(reader.remaining).toBe(0);
    }),
  );
  for (const bytes of [[0x80, 0], [0xff, 0xff, 0xff, 0xff, 0x7f], [0x80, 0x80, 0x80, 0x80, 0x80, 1], [0x80]]) {
    expect(() => new ByteReader(Uint8Array.from(bytes)).varint()).toThrow(FormatError);
  }
});
