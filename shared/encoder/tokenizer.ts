import { Tokenizer as WordPieces } from "@huggingface/tokenizers";
import { tokenLocator } from "./token-offsets.ts";

/** One token of a text, with the field names of Text Embeddings Inference. */
export interface Token {
  readonly id: number;
  /** The part of the text that the token covers; if unknown, the token's form in the vocabulary. */
  readonly text: string;
  /** Whether the tokenizer added the token (`[CLS]`, `[SEP]`). A "[SEP]" in the text is not special. */
  readonly special: boolean;
  /** First code point in the text. Null for special tokens, for tokens of the prompt, and if unknown. */
  readonly start: number | null;
  /** Code point after the last one. */
  readonly stop: number | null;
}

/** The end of a text that is truncated. */
export type TruncationDirection = "left" | "right";

/** Converts texts to tokens. */
export interface Tokenizer {
  /** All token ids of a text, without truncation: `[CLS] … [SEP]` for BERT. */
  encode(text: string): number[];
  /** All tokens of prompt and text. Positions are relative to the start of the text. */
  tokenize(text: string, options: { prompt: string; specialTokens: boolean }): Token[];
}

/**
 * Creates a tokenizer with the package that transformers.js uses. It is plain JavaScript, the same on every platform: see
 * docs/decisions/0003.
 * @param model the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json
 */
export function createTokenizer(model: object, config: object): Tokenizer {
  return tokenizerOf(new WordPieces(model, config));
}

/** Wraps a tokenizer of the package. */
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

/** Number of special tokens before the text. */
function leadingSpecialTokens(tokenizer: WordPieces): number {
  const probe = "a";
  const [first = probe] = tokenizer.tokenize(probe);
  return Math.max(0, tokenizer.tokenize(probe, { add_special_tokens: true }).indexOf(first));
}

/** Truncates `ids` to `limit` tokens at one end (default `right`). The special tokens at both ends (`[CLS]`, `[SEP]`) are kept. */
export function cutTokens(ids: readonly number[], limit: number, direction: TruncationDirection = "right"): readonly number[] {
  const first = ids[0];
  const last = ids.at(-1);
  if (ids.length <= limit || first === undefined || last === undefined) return ids;
  return direction === "right" ? [...ids.slice(0, limit - 1), last] : [first, ...ids.slice(ids.length - limit + 1)];
}
