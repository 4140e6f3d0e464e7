import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

const nodeSchema = z.object({
  /** From the start of the process, in ms: until it answered `/health`, and until it gave a vector. */
  health: z.number(),
  vector: z.number(),
});

const pageSchema = z.object({
  /** From the navigation, in ms: the first paint, the first results by words, all ready, the first results that a query's vector was computed for. */
  paint: z.number(),
  words: z.number(),
  ready: z.number(),
  meaning: z.number(),
  /** What the server sent. */
  bytes: z.number(),
});

const roundSchema = z.object({
  node: z.object({
    /** Files are not in the memory of the operating system. Null where that cannot be arranged. */
    cold: nodeSchema.nullable(),
    warm: nodeSchema,
  }),
  /** At the first visit and, in a browser that was started anew, at the second. */
  page: z.object({ cold: pageSchema, warm: pageSchema }),
  /** A fresh isolate, in ms: its first answer to `/health`, the first vector after it, and another one. */
  edge: z.object({ health: z.number(), first: z.number(), second: z.number() }),
});

export const startSchema = z.object({
  environment: environmentSchema,
  browser: z.string(),
  rounds: z.array(roundSchema).min(1),
});

/** How long everything takes to be of use. */
export type StartResult = z.infer<typeof startSchema>;

export type NodeStart = z.infer<typeof nodeSchema>;
export type PageStart = z.infer<typeof pageSchema>;
export type StartRound = z.infer<typeof roundSchema>;
