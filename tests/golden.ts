import { readFileSync } from "node:fs";
import type { InputType } from "../shared/encoder/encoder.ts";
import { decodeVector } from "../shared/vector.ts";

export interface GoldenRow {
  readonly inputType: InputType;
  readonly text: string;
  /** What sentence-transformers gives in float32, L2-normalized. */
  readonly vector: Float32Array;
  /** Cut to the model's limit, special tokens and prompt included. */
  readonly tokenIds: readonly number[];
  /** How many there are after the cut, and before it. */
  readonly tokens: number;
  readonly tokensBeforeCut: number;
}

interface GoldenFile {
  readonly rows: readonly { inputType: InputType; text: string; vector: string; token_ids: readonly number[]; tokens_before_cut: number }[];
}

const file: GoldenFile = JSON.parse(readFileSync(new URL("fixtures/golden.json", import.meta.url), "utf8"));

/** Texts chosen to break tokenizers and batching, with their reference vectors: see tests/fixtures/README.md. */
export const goldenRows: readonly GoldenRow[] = file.rows.map(({ inputType, text, vector, token_ids, tokens_before_cut }) => ({
  inputType,
  text,
  vector: decodeVector(vector),
  tokenIds: token_ids,
  tokens: token_ids.length,
  tokensBeforeCut: tokens_before_cut,
}));

/** Cosines that every device must reach on the golden rows. */
export const goldenBounds = { worst: 0.994, mean: 0.998 };

/** Forty short texts of few lengths: those of one length share runs. */
export const shortTexts: readonly string[] = Array.from({ length: 40 }, (_, i) => {
  const words = ["tide", "salt", "moon", "wind", "reef", "sand", "kelp"];
  return Array.from({ length: 1 + (i % 5) }, (_, place) => words[(i + place * (1 + (i % 3))) % words.length]).join(" ");
});
