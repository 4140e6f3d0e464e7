import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

const engineCases = ["first vector", "16 tokens", "128 tokens", "512 tokens", "8 short texts"] as const;

export const engineSchema = z.object({
  environment: environmentSchema,
  browser: z.string(),
  rounds: z.number(),
  /** The median of the turns of a round. */
  measurements: z.array(
    z.object({
      host: z.enum(["chromium", "workerd", "node"]),
      rival: z.enum(["engine", "onnxruntime-web", "onnxruntime-node"]),
      case: z.enum(engineCases),
      round: z.number(),
      /** Of a text, or of all eight. */
      ms: z.number(),
      /** Processor time of the thread that computes, in workerd and Node of the whole process; null where the platform does not tell. */
      cpuMs: z.number().nullable(),
    }),
  ),
});

/** The engine and ONNX Runtime with the same model, by turns. */
export type EngineResult = z.infer<typeof engineSchema>;
export type EngineMeasurement = EngineResult["measurements"][number];
