import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

const typingSchema = z.object({
  /** From the last key of each query to its results on the screen, in ms. */
  keyToResults: z.array(z.number()).min(1),
});

const roundSchema = z.object({
  /** With nothing else going on, and while documents are embedded. */
  idle: typingSchema,
  indexing: typingSchema.extend({
    /** Passages that were embedded meanwhile: were there none, nothing was measured. */
    embedded: z.number().int().min(1),
  }),
  /** From the choice of the files, in ms: until words found the first and the last of them, and meaning one. */
  firstByWords: z.number(),
  allByWords: z.number(),
  firstByMeaning: z.number(),
  passagesPerSecond: z.number(),
  /** The longest tasks on the page's thread, in ms; 0 for none of 50 ms or more. */
  longestTask: z.object({ loading: z.number(), idle: z.number(), adding: z.number(), indexing: z.number() }),
});

export const pageUseSchema = z.object({
  environment: environmentSchema,
  browser: z.string(),
  documents: z.number().int(),
  rounds: z.array(roundSchema).min(1),
});

/** What someone notices who works with the page. */
export type PageUse = z.infer<typeof pageUseSchema>;
export type PageUseRound = z.infer<typeof roundSchema>;
