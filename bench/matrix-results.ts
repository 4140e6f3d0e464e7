import { z } from "zod";
import { deviceIds } from "./devices/device.ts";
import { environmentSchema } from "./environment-schema.ts";

const device = z.enum(deviceIds);

/** How texts are handed to a device: one at a time, all in one call, or one at a time among others that are asked for meanwhile. */
export const ways = ["alone", "together", "loaded"] as const;

export type Way = (typeof ways)[number];

/** How much two lists of vectors of the same texts agree: cosines, and how many are the same bits. */
const agreementSchema = z.object({ texts: z.number(), worst: z.number(), mean: z.number(), identical: z.number() });

const skippedSchema = z.array(z.object({ device, reason: z.string() }));

export const vectorsSchema = z.object({
  environment: environmentSchema,
  sets: z.array(
    z.object({
      name: z.string(),
      texts: z.number(),
      devices: z.array(z.object({ id: device, label: z.string() })),
      /** One device's vectors to another's: the worst and the fewest over every way of both, and the mean of texts alone. */
      between: z.array(agreementSchema.extend({ a: device, b: device })),
      /** A device's vectors to its own of texts alone, with the largest difference of a component. */
      within: z.array(agreementSchema.extend({ device, way: z.enum(ways), largestDifference: z.number() })),
    }),
  ),
  skipped: skippedSchema,
});

/** The same texts on every device, in every way. */
export type VectorsResult = z.infer<typeof vectorsSchema>;

/** Over the queries with odd numbers, on which weights were chosen, over the even ones, and over all. */
const halvesSchema = z.object({ chosenOn: z.number(), reported: z.number(), all: z.number() });

const deviceQualitySchema = z.object({
  id: device,
  label: z.string(),
  /** nDCG@10, and the share of the relevant documents that is among the first hundred. */
  modes: z.array(z.object({ mode: z.enum(["hybrid", "meaning", "words"]), gain: halvesSchema, recall: halvesSchema })),
});

export type DeviceQuality = z.infer<typeof deviceQualitySchema>;

export const qualitySchema = z.object({
  environment: environmentSchema,
  documents: z.number(),
  passages: z.number(),
  queries: z.number(),
  devices: z.array(deviceQualitySchema),
  skipped: skippedSchema,
});

/** How well the search finds with the vectors of each device. */
export type QualityResult = z.infer<typeof qualitySchema>;
