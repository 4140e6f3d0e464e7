import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { InputType } from "../../shared/encoder/encoder.ts";
import { createTokenizer, cutTokens, type Token } from "../../shared/encoder/tokenizer.ts";

type Row = readonly [id: number, special: boolean, start: number | null, stop: number | null];

const readJson = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const model = "../../models/bge-small-en-v1.5";
const tokenizer = createTokenizer(readJson(`${model}/tokenizer.json`), readJson(`${model}/tokenizer_config.json`));
const { prompts }: { prompts: { [inputType in InputType]: string } } = readJson(`${model}/manifest.json`);
const { rows }: { rows: { inputType: InputType; text: string; tokens: Row[] }[] } = readJson("../fixtures/token-offsets.json");

const vocabulary: Record<string, number> = readJson(`${model}/tokenizer.json`).model.vocab;
const pieces = new Map(Object.entries(vocabulary).map(([piece, id]) => [id, piece]));

const tokenize = (text: string, prompt = "") => tokenizer.tokenize(text, { prompt, specialTokens: true });
const sliceOf = (text: string, start: number, stop: number) => Array.from(text).slice(start, stop).join("");

describe("token offsets of the reference tokenizer", () => {
  test.each(rows.map((row, index) => [index, row] as const))(
    "token offsets match the reference tokenizer in text %i of the fixture",
    (_, { inputType, text, tokens }) => {
      const found = tokenize(text, prompts[inputType]).map(({ id, special, start, stop }): Row => [id, special, start, stop]);
      expect(found).toEqual(tokens);
    },
  );

  test("a token has the part of the text it covers, or its own name when special", () => {
    expect(tokenize("Caf\u0065\u0301s 🚀", "ask: ").map(({ text }) => text)).toEqual(["[CLS]", "ask", ":", "Cafe\u0301s", "🚀", "[SEP]"]);
  });

  test("tokenizing without special tokens gives the same tokens without them", () => {
    const options = { prompt: "", specialTokens: false };
    expect(tokenizer.tokenize("hello world", options)).toEqual(tokenize("hello world").slice(1, -1));
    expect(tokenizer.tokenize("", options)).toEqual([]);
  });
});

/** Texts of all that a tokenizer stumbles over, and of anything at all. */
const awkward = [
  "[MASK]",
  "[CLS]",
  "[UNK]",
  "embedding",
  "Straße",
  "İ",
  "é",
  "e\u0301",
  "각",
  "東京",
  "🚀",
  "\u0000",
  "\u200b",
  "\ufffd",
  "\u0301",
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...awkward, " ", "\n", "-", "xyz"), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" })))
  .map((parts) => parts.join(""))
  .filter((joined) => joined.isWellFormed());

/** The model's normalization in our own words. Sigma at the end of a word has another small letter than within it. */
const normalized = (part: string) =>
  part
    .replace(/[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu, "")
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .replaceAll("ς", "σ");

interface Located extends Token {
  readonly start: number;
  readonly stop: number;
}
const located = (tokens: readonly Token[]) => tokens.filter((token): token is Located => token.start !== null && token.stop !== null);

describe("token offsets of any text", () => {
  test("every token except the special ones has offsets in the text", () => {
    fc.assert(
      fc.property(text, (text) => {
        const length = Array.from(text).length;
        for (const { special, start, stop } of tokenize(text)) {
          if (special) expect([start, stop]).toEqual([null, null]);
          else expect(start !== null && stop !== null && 0 <= start && start < stop && stop <= length).toBe(true);
        }
      }),
    );
  });

  test("tokens are in order, and two overlap only in a character that normalizes to several letters", () => {
    fc.assert(
      fc.property(text, (text) => {
        const tokens = located(tokenize(text));
        for (const [index, token] of tokens.entries()) {
          const before = tokens[index - 1];
          if (!before || token.start >= before.stop) continue;
          expect(token.start).toBe(before.stop - 1);
          expect(normalized(sliceOf(text, token.start, before.stop)).length).toBeGreaterThan(1);
        }
      }),
    );
  });

  test("the text covered by a token normalizes to the token", () => {
    fc.assert(
      fc.property(text, (text) => {
        for (const { id, text: part, start, stop } of located(tokenize(text))) {
          expect(part).toBe(sliceOf(text, start, stop));
          const piece = pieces.get(id) ?? expect.fail(`${id} is not in the vocabulary`);
          if (piece === "[UNK]" || part === piece) continue;
          const letters = piece.replace(/^##(?=.)/, "").replaceAll("ς", "σ");
          // A Hangul syllable is several letters: a token may begin or end within one.
          if (/\p{sc=Hangul}/u.test(part)) expect(normalized(part)).toContain(letters);
          else expect(normalized(part)).toBe(letters);
        }
      }),
    );
  });

  test("a character covered by no token is one that normalization drops", () => {
    fc.assert(
      fc.property(text, (text) => {
        const left = Array.from(text);
        for (const { start, stop } of located(tokenize(text))) left.fill(" ", start, stop);
        expect(left.map(normalized).join("").trim()).toBe("");
      }),
    );
  });

  test("a prompt does not change token offsets", () => {
    fc.assert(
      fc.property(text, (text) => {
        expect(located(tokenize(text, prompts.query))).toEqual(located(tokenize(text)));
      }),
    );
  });
});

test("a tokenizer of another type reports no token offsets", () => {
  const bytePairs = { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]], unk_token: null };
  const other = createTokenizer(
    { model: bytePairs, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null },
    {},
  );
  expect(other.tokenize("ab", { prompt: "", specialTokens: true })).toEqual([
    { id: 2, text: "ab", special: false, start: null, stop: null },
  ]);
});

test("cutting tokens keeps the special tokens at both ends", () => {
  const ids = [101, 1, 2, 3, 4, 102];
  expect(cutTokens(ids, 4, "right")).toEqual([101, 1, 2, 102]);
  expect(cutTokens(ids, 4, "left")).toEqual([101, 3, 4, 102]);
  expect(cutTokens(ids, 6, "left")).toEqual(ids);
});
