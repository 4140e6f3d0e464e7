/** Messages between the search benchmark and its child processes. */
import { z } from "zod";
import type { Document } from "../shared/search/library.ts";

/** Times per query in ms, and the number of queries. */
export const percentilesSchema = z.object({ p50: z.number(), p95: z.number(), asked: z.number() });

/** One index at one size. */
const measuredSchema = z.object({
  /** The size that was asked for, and the number of passages that came out. */
  size: z.number(),
  passages: z.number(),
  keyword: percentilesSchema,
  /** Of the index and the texts of its passages, after all queries. */
  memoryBytes: z.number(),
});

export const sizeSchema = measuredSchema.extend({
  /** From documents to a searchable index: splitting, indexing and encoding of known vectors. */
  buildMs: z.number(),
  semantic: percentilesSchema,
  hybrid: percentilesSchema,
  /** From the index to the bytes of a file, and from these to a searchable index. */
  writeMs: z.number(),
  openMs: z.number(),
  fileBytes: z.number(),
  /** Share of the ten nearest passages by float32 that are among the ten nearest by codes. */
  recall: z.number(),
});

export const peerNames = ["MiniSearch", "Orama", "SQLite FTS5"] as const;

export const peerSchema = measuredSchema.extend({
  peer: z.enum(peerNames),
  /** From passages to a searchable index. */
  buildMs: z.number(),
  /** Null if it is longer than a string of V8 can be. */
  serializedBytes: z.number().nullable(),
});

export const skippedSchema = z.object({ peer: z.enum(peerNames), size: z.number(), reason: z.string() });

export type SearchSize = z.infer<typeof sizeSchema>;
export type PeerSize = z.infer<typeof peerSchema>;
export type SkippedPeer = z.infer<typeof skippedSchema>;

/** A query and its vector. */
export interface AskedQuery {
  readonly text: string;
  readonly vector: Float32Array;
}

/** How many queries are measured, and how many other ones are asked before. */
export const queriesAsked = 50;
const warmUpQueries = 10;

/** The measured queries of a collection, and those of the warm-up. */
export function askedOf(queries: readonly AskedQuery[]): Pick<SearchJob, "queries" | "warmUp"> {
  const asked = queries.slice(0, queriesAsked + warmUpQueries).map(({ text, vector }) => ({ text, vector }));
  return { queries: asked.slice(0, queriesAsked), warmUp: asked.slice(queriesAsked) };
}

export interface SearchJob {
  /** Null for our own index. */
  readonly peer: (typeof peerNames)[number] | null;
  /** Real documents, their number of passages, and the vectors of the passages. */
  readonly documents: readonly Document[];
  readonly passages: number;
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly AskedQuery[];
  /** Other queries, which are asked before. */
  readonly warmUp: readonly AskedQuery[];
  readonly size: number;
  readonly rounds: number;
}

/** Only builds an index file, at a path. */
export interface BuildJob extends SearchJob {
  readonly file: string;
}
