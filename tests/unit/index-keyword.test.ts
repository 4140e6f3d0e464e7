import fc from "fast-check";
import { expect, test } from "vitest";
import { parseQuery } from "../../shared/index/query.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import { foldText, phraseTest, termsOf } from "../../shared/index/terms.ts";

const word = fc.constantFrom(
  ...["heat", "heating", "pump", "café", "house", "noise", "冬", "東京", "die", "__proto__", "constructor", "1931", "and"],
);
const sentence = fc.array(word, { maxLength: 8 }).map((words) => words.join(" "));

const excludedPhrase = fc.array(word, { minLength: 1, maxLength: 2 }).map((words) => words.join(" "));

/** An index of texts, whose ids are their places. */
async function indexOf(texts: readonly string[], title = ""): Promise<SearchIndex> {
  const index = new SearchIndex();
  await index.put(
    texts.map((text, i) => ({
      ...{ id: String(i).padStart(3, "0"), title, text },
      passages: [{ start: 0, end: text.length, headings: [], hash: i.toString(16).padStart(64, "0"), readable: true }],
    })),
  );
  return index;
}

async function find(texts: readonly string[], query: string): Promise<number[]> {
  const index = await indexOf(texts);
  return index.search(parseQuery(query), null, { limit: 100 }).map(({ id }) => Number(id));
}

test("keyword search finds exactly the texts that contain a word of the query", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sentence, { maxLength: 12 }), word, async (texts, query) => {
      const [wanted] = termsOf(query);
      const expected = texts.flatMap((text, i) => (termsOf(text).some(({ term }) => term === wanted?.term) ? [i] : []));
      // A word that occurs nowhere stands for similarly spelled ones.
      if (expected.length > 0) expect((await find(texts, `${query} `)).sort((a, b) => a - b)).toEqual(expected);
    }),
  );
});

test("a keyword hit contains all phrases of the query and none of its exclusions", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sentence, { maxLength: 12 }), word, word, excludedPhrase, async (texts, first, second, excluded) => {
      const [isIn, isBanned] = [phraseTest(`${first} ${second}`), phraseTest(excluded)];
      const expected = texts.flatMap((text, i) => (isIn(foldText(text)) && !isBanned(foldText(text)) ? [i] : []));
      expect((await find(texts, `"${first} ${second}" -"${excluded}"`)).sort((a, b) => a - b)).toEqual(expected);
    }),
  );
});

test("phrases and exclusions also match titles", async () => {
  const index = await indexOf(["a text", "another text"], "The old house");
  expect(index.search(parseQuery('"old house"'), null)).toHaveLength(2);
  expect(index.search(parseQuery('text -"old house"'), null)).toEqual([]);
});

test("a query of exclusions alone finds nothing", async () => {
  expect(await find(["heat", "pump"], "-heat")).toEqual([]);
});

test("keyword search uses the first 32 distinct terms of a query", async () => {
  const words = Array.from({ length: 40 }, (_, i) => `term${i}`);
  const index = await indexOf([words.slice(0, 32).join(" "), words.slice(32).join(" ")]);
  expect(index.search(parseQuery(`${words.join(" ")} `), null)).toMatchObject([{ id: "000", strength: "strong" }]);
});

test("keyword search finds words of languages without spaces, word forms, unfinished and misspelled words", async () => {
  const texts = ["私は東京に住んでいます。", "热泵整夜运行，但早上房子很冷。", "The radiators were cold.", "A heat pump"];
  expect(await find(texts, "東京")).toEqual([0]);
  expect(await find(texts, "热泵")).toEqual([1]);
  expect(await find(texts, "radiator")).toEqual([2]);
  expect(await find(texts, "cold rad")).toEqual([2]);
  expect(await find(texts, "rediator ")).toEqual([2]);
  expect(await find(texts, "raidator ")).toEqual([2]);
  expect(await find(texts, "the heat")).toEqual([3]);
  expect(await find(texts, "the")).toEqual([2]);
});

test("keyword search treats a finished word as complete and a short word as correctly spelled", async () => {
  expect(await find(["The radiators were cold."], "rad ")).toEqual([]);
  expect(await find(["The old moon."], "told ")).toEqual([]);
  expect(await find(["The old moon."], "moan ")).toEqual([]);
});

test("keyword search completes an unfinished last word", async () => {
  const starts = word.chain((whole) => fc.nat(whole.length).map((length) => whole.slice(0, length)));
  await fc.assert(
    fc.asyncProperty(fc.array(sentence, { maxLength: 12 }), starts, async (texts, typed) => {
      const [wanted] = termsOf(typed);
      fc.pre(wanted !== undefined && wanted.word.length >= 2 && wanted.text === typed);
      const expected = texts.flatMap((text, i) => {
        const isFound = termsOf(text).some((each) => each.term === wanted?.term || each.word.startsWith(wanted?.word ?? ""));
        return isFound ? [i] : [];
      });
      // A word that occurs nowhere stands for similarly spelled ones.
      if (expected.length > 0) expect((await find(texts, typed)).sort((a, b) => a - b)).toEqual(expected);
    }),
  );
});

test("keyword search allows one typing error from five letters and two from eight", async () => {
  const texts = ["The lamp.", "The tidal stream.", "The kitchen.", "The mountain."];
  expect(await find(texts, "lmap ")).toEqual([]);
  expect(await find(texts, "tidle ")).toEqual([]);
  expect(await find(texts, "tidol ")).toEqual([1]);
  expect(await find(texts, "iktchen ")).toEqual([2]);
  expect(await find(texts, "iktchne ")).toEqual([]);
  expect(await find(texts, "omuntani ")).toEqual([3]);
});

test("keyword search does not replace an indexed word with a similarly spelled word", async () => {
  expect(await find(["a wedding speech", "a weeding spade"], "wedding ")).toEqual([0]);
});

test("keyword search does not find a removed document", async () => {
  const index = await indexOf(["heat", "heat pump"]);
  index.remove(["001", "unknown"]);
  expect(index.search(parseQuery("pump heat "), null).map(({ id }) => id)).toEqual(["000"]);
  expect(index.size).toBe(1);
});

test("marks locate the found words in the document's text", async () => {
  const text = "Before breakfast. Heating helps, and heated rooms too.";
  const index = new SearchIndex();
  await index.put([
    { id: "a", title: "", text, passages: [{ start: 18, end: text.length, headings: [], hash: "ab".repeat(32), readable: true }] },
  ]);
  const [hit] = index.search(parseQuery("heat "), null);
  expect(hit?.passage.marks.map(({ start, end }) => text.slice(start, end))).toEqual(["Heating", "heated"]);
  expect(hit?.passage.text).toBe(text.slice(18));
});

test("equal scores are ordered by document, whatever the order of insertion", async () => {
  const index = new SearchIndex();
  for (const id of ["c", "a", "b"]) {
    await index.put([
      { id, title: "", text: "heat", passages: [{ start: 0, end: 4, headings: [], hash: "ab".repeat(32), readable: true }] },
    ]);
  }
  expect(index.search(parseQuery("heat "), null, { limit: 2 }).map(({ id }) => id)).toEqual(["a", "b"]);
});
