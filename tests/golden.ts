import { readFileSync } from "node:fs";
import { decodeVector } from "../shared/encoder/bundled.ts";
import type { Kind } from "../shared/encoder/encoder.ts";

export interface GoldenRow {
  readonly kind: Kind;
  readonly text: string;
  /** What sentence-transformers gives in float32, L2-normalized. */
  readonly vector: Float32Array;
  /** Cut to the model's limit, special tokens and prompt included. */
  readonly tokenIds: readonly number[];
}

interface GoldenFile {
  rows: { kind: Kind; text: string; vector: string; token_ids: number[] }[];
}

/** Texts chosen to break tokenizers and batching, with their reference vectors: see tests/fixtures/README.md. */
export const goldenRows: readonly GoldenRow[] = (
  JSON.parse(readFileSync(new URL("fixtures/golden.json", import.meta.url), "utf8")) as GoldenFile
).rows.map(({ kind, text, vector, token_ids }) => ({ kind, text, vector: decodeVector(vector), tokenIds: token_ids }));

/** What every device must hold on the golden rows. */
export const goldenBounds = { worst: 0.994, mean: 0.998 };
