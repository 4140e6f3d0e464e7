/** Messages between the search benchmark and its child process. */
import { z } from "zod";
import type { Model } from "../shared/encoder/encoder.ts";
import type { Document } from "../shared/search/library.ts";

export const percentilesSchema = z.object({ p50: z.number(), p95: z.number() });

export const sizeSchema = z.object({
  passages: z.number(),
  /** Time from documents to a searchable index. */
  buildMs: z.number(),
  query: z.object({ keyword: percentilesSchema, semantic: percentilesSchema, hybrid: percentilesSchema }),
  /** Texts included. */
  memoryBytes: z.number(),
  fileBytes: z.number(),
  /** The vector index compared with a full scan, and its recall of the best ten. */
  nearest: z.object({ recall: z.number(), index: percentilesSchema, full: percentilesSchema }),
});

export type SearchSize = z.infer<typeof sizeSchema>;

export interface SearchJob {
  readonly model: Model;
  /** Real documents, their number of passages, and the vectors of the passages. */
  readonly documents: readonly Document[];
  readonly passages: number;
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly { readonly text: string; readonly vector: Float32Array }[];
  readonly size: number;
  readonly rounds: number;
}
