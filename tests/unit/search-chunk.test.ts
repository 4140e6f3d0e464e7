import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTokenizer } from "../../shared/encoder/tokenizer.ts";
import { chunkText, estimateTokens } from "../../shared/search/chunk.ts";
import { passagesOf } from "../../shared/search/library.ts";
import { goldenRows } from "../golden.ts";

const readJson = (path: string) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
const library: { documents: { text: string }[] } = readJson("web/library/documents.json");
const wordPieces = createTokenizer(
  readJson("models/bge-small-en-v1.5/tokenizer.json"),
  readJson("models/bge-small-en-v1.5/tokenizer_config.json"),
);

/** Words, sentences, paragraphs, pairs of surrogates, piles of marks, in every order. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        " ",
        "\n",
        "\n\n",
        "\r\n\r\n",
        "\t",
        "\u00a0",
        ". ",
        "! ",
        "Mr. ",
        "\n# Heading\n",
        "\n## A smaller one ##\n",
        "\nUnderlined\n----\n",
        "\n```\n",
        "👩‍🚀",
        "🧺",
        "e\u0301\u0302\u0303",
        "東京は日本の首都。",
        "\0",
      ),
      fc.lorem({ maxCount: 3, mode: "sentences" }),
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));
const limit = fc.integer({ min: 1, max: 60 });
const countUnits = (piece: string) => piece.length;

describe("chunks", () => {
  test("chunks contain every non-white-space character exactly once, in order", () => {
    fc.assert(
      fc.property(text, limit, (source, maxTokens) => {
        let end = 0;
        for (const chunk of chunkText(source, { maxTokens })) {
          expect(source.slice(end, chunk.start).trim()).toBe("");
          expect(chunk.end).toBeGreaterThan(chunk.start);
          end = chunk.end;
        }
        expect(source.slice(end).trim()).toBe("");
      }),
    );
  });

  test("overlapping chunks contain the whole text, advance with each chunk and overlap by at most overlapTokens", () => {
    const overlaps = fc
      .nat({ max: 20 })
      .chain((overlapTokens) => fc.tuple(fc.constant(overlapTokens), fc.integer({ min: overlapTokens + 1, max: 80 })));
    fc.assert(
      fc.property(text, overlaps, (source, [overlapTokens, maxTokens]) => {
        let [start, end] = [-1, 0];
        for (const chunk of chunkText(source, { maxTokens, overlapTokens, countTokens: countUnits })) {
          expect(source.slice(end, chunk.start).trim()).toBe("");
          expect(end - chunk.start).toBeLessThanOrEqual(overlapTokens);
          expect(chunk.start).toBeGreaterThan(start);
          expect(chunk.end).toBeGreaterThan(end);
          expect(source.slice(chunk.start, chunk.end)).toBe(chunk.text);
          if ([...chunk.text].length > 1) expect(chunk.text.length).toBeLessThanOrEqual(maxTokens);
          ({ start, end } = chunk);
        }
        expect(source.slice(end).trim()).toBe("");
      }),
    );
  });

  test("overlapping chunks repeat whole sentences of the divided paragraph", () => {
    const source = "One two three. Four five. Six seven eight. Nine ten.";
    const countWords = (piece: string) => piece.match(/\p{L}+/gu)?.length ?? 0;
    expect(chunkText(source, { maxTokens: 7, overlapTokens: 2, countTokens: countWords }).map((chunk) => chunk.text)).toEqual([
      "One two three. Four five.",
      "Four five. Six seven eight. Nine ten.",
    ]);
  });

  test("chunks carry the headings above them, and begin with a heading rather than end with one", () => {
    const source = [
      "# The house #\n\nIt was built in 1931 and has three floors.",
      "## Heating\n\nThe radiators in the house are old and loud.",
      "```sh\n# not a heading, but a comment\n```",
      "Roof\n----\n\nThe roof was mended in the spring.",
      "Garden\n======\n\nThe apple trees bear fruit.",
    ].join("\n\n");
    const chunks = chunkText(source, { maxTokens: 24 });
    const found = (part: string) => chunks.find((chunk) => chunk.text.includes(part));
    expect(found("radiators")).toMatchObject({ headings: ["The house"], text: expect.stringMatching(/^## Heating/) });
    expect(found("a comment")?.headings).toEqual(["The house", "Heating"]);
    expect(found("mended")).toMatchObject({ headings: ["The house"], text: expect.stringMatching(/^Roof/) });
    expect(found("apple")).toMatchObject({ headings: [], text: expect.stringMatching(/^Garden/) });
  });

  test("a chunk's text is the source at its offsets, without surrounding white space", () => {
    fc.assert(
      fc.property(text, limit, (source, maxTokens) => {
        for (const chunk of chunkText(source, { maxTokens })) {
          expect(source.slice(chunk.start, chunk.end)).toBe(chunk.text);
          expect(chunk.text.trim()).toBe(chunk.text);
        }
      }),
    );
  });

  test("chunks never begin or end within a surrogate pair", () => {
    fc.assert(
      fc.property(text, limit, (source, maxTokens) => {
        for (const chunk of chunkText(source, { maxTokens, countTokens: countUnits })) expect(chunk.text.isWellFormed()).toBe(true);
      }),
    );
  });

  test("chunks keep to the token limit, unless a chunk is a single code point", () => {
    fc.assert(
      fc.property(text, limit, fc.constantFrom(countUnits, estimateTokens), (source, maxTokens, countTokens) => {
        for (const chunk of chunkText(source, { maxTokens, countTokens })) {
          if ([...chunk.text].length > 1) expect(countTokens(chunk.text)).toBeLessThanOrEqual(maxTokens);
        }
      }),
    );
  });

  test("a text that fits the limit is one chunk", () => {
    fc.assert(
      fc.property(text, (source) => {
        const whole = source.trim();
        expect(chunkText(source, { maxTokens: 1e6 }).map((chunk) => chunk.text)).toEqual(whole ? [whole] : []);
      }),
    );
  });

  test("chunks end at sentences and paragraphs where possible, and divide a long paragraph evenly", () => {
    const long = "One two three four. Five six seven eight. Nine ten eleven twelve. Thirteen fourteen fifteen.";
    const source = `A heading\n\nA short paragraph of some words.\n\n${long}`;
    const countWords = (piece: string) => piece.match(/\p{L}+/gu)?.length ?? 0;
    expect(chunkText(source, { maxTokens: 12, countTokens: countWords }).map((chunk) => chunk.text)).toEqual([
      "A heading\n\nA short paragraph of some words.",
      "One two three four. Five six seven eight.",
      "Nine ten eleven twelve. Thirteen fourteen fifteen.",
    ]);
  });

  test("chunkText rejects a limit below one token", () => {
    expect(() => chunkText("text", { maxTokens: 0 })).toThrow(RangeError);
    expect(() => chunkText("text", { maxTokens: Number.NaN })).toThrow(RangeError);
  });

  test("chunkText rejects an overlap that leaves no room", () => {
    expect(() => chunkText("text", { maxTokens: 5, overlapTokens: 5 })).toThrow(RangeError);
    expect(() => chunkText("text", { maxTokens: 5, overlapTokens: -1 })).toThrow(RangeError);
  });
});

test("estimateTokens gives 1 to 1.5 times the tokens of prose, tables and code", () => {
  for (const { text } of library.documents) {
    const tokens = wordPieces.encode(text).length - 2;
    expect(estimateTokens(text) / tokens).toBeGreaterThanOrEqual(1);
    expect(estimateTokens(text) / tokens).toBeLessThanOrEqual(1.5);
  }
});

test("every search passage fits the model's token limit", () => {
  for (const { text } of [...goldenRows, ...library.documents]) {
    for (const chunk of passagesOf({ text })) expect(wordPieces.encode(chunk.text).length).toBeLessThanOrEqual(512);
  }
});
