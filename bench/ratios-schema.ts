import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

export const ratiosSchema = z.object({
  environment: environmentSchema,
  /** By id, in each round: more is better. */
  ratios: z.array(z.object({ id: z.string(), says: z.string(), rounds: z.array(z.number()).min(1) })),
});

/** Ratios among our own parts on a quiet machine: what a change is held to. */
export type RatiosResult = z.infer<typeof ratiosSchema>;
