import { Tokenizer as WordPieces } from "@huggingface/tokenizers";
import { tokenLocator } from "./token-offsets.ts";

/** One token of a text, as Text Embeddings Inference names its parts. */
export interface Token {
  readonly id: number;
  /** The part of the text that it stands for; where that is not known, the token's own form in the vocabulary. */
  readonly text: string;
  /** Whether the tokenizer put it around the text, as `[CLS]` and `[SEP]`. A caller's own "[SEP]" is not special. */
  readonly special: boolean;
  /** Its first code point in the text. Null for special tokens, for those of a prompt, and where it is not known. */
  readonly start: number | null;
  /** The code point behind its last one. */
  readonly stop: number | null;
}

/** Which end of a text is cut off. */
export type TruncationDirection = "left" | "right";

/** Texts to token ids, special tokens included. */
export interface Tokenizer {
  /** All token ids of a text, however long: `[CLS] … [SEP]` for BERT. */
  encode(text: string): number[];
  /** All tokens of a text behind a prompt. Positions are counted from where the text begins. */
  tokenize(text: string, options: { prompt: string; specialTokens: boolean }): Token[];
}

/**
 * The tokenizer of transformers.js (the package that it is built on), from the two published JSON files. It is plain
 * JavaScript and the same code in every realm: docs/decisions/0003 tells why it is not loaded through transformers.js.
 */
export function createTokenizer(model: object, config: object): Tokenizer {
  return tokenizerOf(new WordPieces(model, config));
}

/** The same over a tokenizer that somebody else has made. */
export function tokenizerOf(tokenizer: WordPieces): Tokenizer {
  const locate = tokenLocator(tokenizer);
  const leading = leadingSpecialTokens(tokenizer);
  return {
    encode: (text) => tokenizer.encode(text).ids,

    tokenize(text, { prompt, specialTokens }) {
      const whole = prompt + text;
      const characters = Array.from(whole);
      const promptLength = Array.from(prompt).length;
      const { ids, tokens } = tokenizer.encode(whole, { add_special_tokens: specialTokens });
      const first = specialTokens ? leading : 0;
      const content = tokenizer.tokenize(whole);
      const spans = locate(whole, content);
      return ids.map((id, index): Token => {
        const place = index - first;
        const special = place < 0 || place >= content.length;
        const span = special ? undefined : spans?.[place];
        const written = tokens[index] ?? "";
        if (!span) return { id, text: written, special, start: null, stop: null };
        const { start, stop } = span;
        if (stop <= promptLength) return { id, text: characters.slice(start, stop).join(""), special, start: null, stop: null };
        const own = { start: Math.max(0, start - promptLength), stop: stop - promptLength };
        return { id, text: characters.slice(Math.max(promptLength, start), stop).join(""), special, ...own };
      });
    },
  };
}

/** How many special tokens stand before a text's own. */
function leadingSpecialTokens(tokenizer: WordPieces): number {
  const probe = "a";
  const [first = probe] = tokenizer.tokenize(probe);
  return Math.max(0, tokenizer.tokenize(probe, { add_special_tokens: true }).indexOf(first));
}

/** `ids` cut to `limit` tokens from one end (by default the last ones go); the special tokens at both ends (`[CLS]`, `[SEP]`) stay. */
export function cutTokens(ids: readonly number[], limit: number, direction: TruncationDirection = "right"): readonly number[] {
  const first = ids[0];
  const last = ids.at(-1);
  if (ids.length <= limit || first === undefined || last === undefined) return ids;
  return direction === "right" ? [...ids.slice(0, limit - 1), last] : [first, ...ids.slice(ids.length - limit + 1)];
}
