/** The wire: what clients send and get. Every other type of the API is inferred from these schemas. */
import { z } from "zod";

const oneOrMany = (message: string) => z.union([z.string(), z.array(z.string()).min(1, "must hold at least one text")], message);

/** `POST /embed`, as Text Embeddings Inference has it. */
export const embedRequestSchema = z.object({
  inputs: oneOrMany("must be a text or a list of texts"),
  /** L2-normalize the vectors. */
  normalize: z.boolean().default(true),
  /** Cut texts at the model's limit; false refuses them. */
  truncate: z.boolean().default(true),
  /** Which prompt goes before each text; a passage has none in most models. */
  prompt_name: z.enum(["query", "passage"], 'must be "query" or "passage"').default("passage"),
  /** Keep the first so many dimensions of each vector. */
  dimensions: z.number().int().min(1).optional(),
});

/** One vector per text, in their order, also for a single text. */
export const embedResponseSchema = z.array(z.array(z.number()));

/** `POST /v1/embeddings`, as OpenAI has it. */
export const embeddingsRequestSchema = z.object({
  input: oneOrMany("must be a text or a list of texts; lists of token ids are those of another model's tokenizer and cannot be read here"),
  model: z.string().optional(),
  encoding_format: z.enum(["float", "base64"], 'must be "float" or "base64"').default("float"),
  dimensions: z.number().int().min(1).optional(),
  user: z.string().optional(),
});

export const embeddingsResponseSchema = z.object({
  object: z.literal("list"),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: z.number().int(),
      /** Numbers, or base64 of little-endian float32. */
      embedding: z.union([z.array(z.number()), z.string()]),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.number().int(), total_tokens: z.number().int() }),
});
export type EmbeddingsResponse = z.infer<typeof embeddingsResponseSchema>;

/** `GET /health`: answers at once, whatever the encoder is doing. */
export const healthSchema = z.object({
  status: z.enum(["idle", "loading", "ok", "degraded", "failed"]),
  workers: z.object({ ready: z.number().int(), size: z.number().int() }),
  /** Why the model is not there, while `status` is `failed`. */
  error: z.string().optional(),
});
export type Health = z.infer<typeof healthSchema>;

/** `GET /info`: the names of Text Embeddings Inference, and ours. */
export const serviceInfoSchema = z.object({
  model_id: z.string(),
  /** The model's fingerprint: vectors of different fingerprints must not be compared. */
  model_sha: z.string(),
  model_type: z.object({ embedding: z.object({ pooling: z.enum(["cls", "mean"]) }) }),
  max_input_length: z.number().int(),
  max_client_batch_size: z.number().int(),
  version: z.string(),
  dimensions: z.number().int(),
  prompts: z.object({ query: z.string(), passage: z.string() }),
  device: z.string().nullable(),
  workers: healthSchema.shape.workers,
});
export type ServiceInfo = z.infer<typeof serviceInfoSchema>;

/** Errors of every route but OpenAI's. `path` says where in the body, `index` which text. */
export const errorResponseSchema = z.object({
  error: z.string(),
  error_type: z.string(),
  code: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

/** Errors of `/v1`. */
export const openAIErrorResponseSchema = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }),
});
export type OpenAIErrorResponse = z.infer<typeof openAIErrorResponseSchema>;
