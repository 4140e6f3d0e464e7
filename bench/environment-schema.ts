import { z } from "zod";

export const environmentSchema = z.object({
  date: z.iso.date(),
  command: z.string(),
  cpu: z.string(),
  cores: z.number(),
  memoryBytes: z.number(),
  platform: z.string(),
  versions: z.record(z.string(), z.string()),
  model: z.object({ id: z.string(), fingerprint: z.string() }),
});

/** Where and with what a benchmark ran. */
export type Environment = z.infer<typeof environmentSchema>;
