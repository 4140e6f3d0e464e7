import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

/** Of the time per query, in ms. */
const percentilesSchema = z.object({ p50: z.number(), p95: z.number() });

const scanSchema = z.object({
  vectors: z.number(),
  /** How much of the ten best the index finds. */
  recall: z.number(),
  /** To put them all into the index. */
  buildMs: z.number(),
  /** The index as it is used, and a full scan of the same vectors. */
  used: percentilesSchema,
  full: percentilesSchema,
});

/** Vectors near a query, among so many. */
export type Scan = z.infer<typeof scanSchema>;

const indexSizeSchema = z.object({
  passages: z.number(),
  documents: z.number(),
  /** From documents to passages that words and meaning find, but for embedding them. */
  buildMs: z.number(),
  /** From a query, and its vector, to results. */
  query: z.object({ words: percentilesSchema, meaning: percentilesSchema, hybrid: percentilesSchema }),
  /** What the search holds: vectors and their codes, and all else, the texts among it. */
  memory: z.object({ vectorBytes: z.number(), otherBytes: z.number() }),
  file: z.object({ bytes: z.number(), writeMs: z.number(), readMs: z.number() }),
});

/** The whole search over so many passages. */
export type IndexSize = z.infer<typeof indexSizeSchema>;

export const searchSchema = z.object({
  environment: environmentSchema,
  rounds: z.number(),
  /** Passages of real texts, whose vectors and words the others are made of. */
  passages: z.number(),
  scans: z.array(scanSchema),
  inChromium: z.object({ browser: z.string(), scans: z.array(scanSchema) }),
  sizes: z.array(indexSizeSchema),
});

/** What the search costs as it grows. */
export type SearchBenchmark = z.infer<typeof searchSchema>;
