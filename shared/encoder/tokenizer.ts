import { Tokenizer as WordPieces } from "@huggingface/tokenizers";

/** Texts to token ids, special tokens included. */
export interface Tokenizer {
  /** All token ids of a text, however long: `[CLS] … [SEP]` for BERT. */
  encode(text: string): number[];
}

/**
 * The tokenizer of transformers.js (the package that it is built on), from the two published JSON files. It is plain
 * JavaScript and the same code in every realm: docs/decisions/0003 tells why it is not loaded through transformers.js.
 */
export function createTokenizer(model: object, config: object): Tokenizer {
  const tokenizer = new WordPieces(model, config);
  return { encode: (text) => tokenizer.encode(text).ids };
}

/** `ids` cut to `limit` tokens from the right; the last special token (`[SEP]`) stays at the end. */
export function cutTokens(ids: readonly number[], limit: number): readonly number[] {
  const last = ids.at(-1);
  if (ids.length <= limit || last === undefined) return ids;
  return [...ids.slice(0, limit - 1), last];
}
