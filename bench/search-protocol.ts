/** Messages between the search benchmark and its child processes. */
import { z } from "zod";
import type { Document } from "../shared/search/library.ts";

export const percentilesSchema = z.object({ p50: z.number(), p95: z.number() });

/** One kind of index at one size. */
const measuredSchema = z.object({
  passages: z.number(),
  /** From documents to a searchable index: splitting, indexing and encoding of known vectors. */
  buildMs: z.number(),
  keyword: percentilesSchema,
  /** Of the opened index with all its texts: JavaScript heap and buffers. */
  memoryBytes: z.number(),
  fileBytes: z.number(),
});

export const sizeSchema = measuredSchema.extend({
  semantic: percentilesSchema,
  hybrid: percentilesSchema,
  /** From bytes to a searchable index. */
  openMs: z.number(),
  /** Share of the ten nearest passages by float32 that are among the ten nearest by codes. */
  recall: z.number(),
});

export const peers = ["MiniSearch", "Orama"] as const;

export const peerSchema = measuredSchema.extend({ peer: z.enum(peers) });

export type SearchSize = z.infer<typeof sizeSchema>;
export type PeerSize = z.infer<typeof peerSchema>;

export interface SearchJob {
  /** Null for our own index. */
  readonly peer: (typeof peers)[number] | null;
  /** Real documents, their number of passages, and the vectors of the passages. */
  readonly documents: readonly Document[];
  readonly passages: number;
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly { readonly text: string; readonly vector: Float32Array }[];
  readonly size: number;
  readonly rounds: number;
}
