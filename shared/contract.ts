/**
 * Schemas of the HTTP API's requests and responses. The API's types and the description at `/openapi.json` are inferred from them.
 */
import { z } from "zod";
import { parseQuery } from "./index/query.ts";

/** An optional field with a default. Null counts as omitted, because many clients send it. */
const optional = <Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) =>
  schema
    .nullish()
    .transform((given): z.output<Schema> => given ?? value)
    .meta({ default: value });

/**
 * A list of texts. Validation stops at the first invalid element: a list of token ids could otherwise produce millions of issues and block
 * the event loop for seconds.
 */
const listOfTexts = (message: string) =>
  z.preprocess(upToFirstFault, z.array(z.string(message), "must be a list of texts").min(1, "must hold at least one text"));

function upToFirstFault(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  const fault = list.findIndex((element) => typeof element !== "string");
  return fault < 0 ? list : list.slice(0, fault + 1);
}

/** A text or a list of texts. `message` is the error for other values. */
const oneOrMany = (message: string) =>
  z.union([z.string(message), listOfTexts(message)], message).meta({ example: ["a text", "another text"] });

const texts = oneOrMany("must be a text or a list of texts").meta({
  description: "A text or a list of texts. Each must be valid Unicode.",
});
const dimensions = z
  .int("must be a whole number")
  .min(1, "must be at least 1")
  .nullish()
  .meta({ description: "Number of dimensions to keep of each vector. Default: all.", example: 384 });
const truncate = optional(z.boolean("must be true or false"), true).meta({
  description: "Truncate texts that exceed the model's limit; false rejects them.",
});
const truncationDirection = optional(z.enum(["Left", "Right", "left", "right"], 'must be "Left" or "Right"'), "Right")
  .transform((side) => (side === "Left" || side === "left" ? "left" : "right"))
  .meta({ description: "The side from which a text is truncated." });
const promptName = optional(z.enum(["query", "passage"], 'must be "query" or "passage"'), "passage").meta({
  description: "The model's prompt to add before each text. Most models have none for passages.",
});

/** Body of `POST /embed` in Text Embeddings Inference. */
export const embedRequestSchema = z
  .object({
    inputs: texts,
    normalize: optional(z.boolean("must be true or false"), true).meta({ description: "L2-normalize the vectors." }),
    truncate,
    truncation_direction: truncationDirection,
    prompt_name: promptName,
    dimensions,
  })
  .meta({ id: "EmbedRequest" });

export const embedResponseSchema = z
  .array(z.array(z.number()))
  .meta({ id: "EmbedResponse", description: "One vector per text, in the order of the texts. A single text also gives a list." });

/** Body of `POST /similarity` in Text Embeddings Inference. */
export const similarityRequestSchema = z
  .object({
    inputs: z
      .object(
        {
          source_sentence: z.string("must be a text"),
          sentences: listOfTexts("must be a text"),
        },
        "must be an object with source_sentence and sentences",
      )
      .meta({ example: { source_sentence: "a text", sentences: ["a similar text", "something else"] } }),
    parameters: z.object({ truncate, truncation_direction: truncationDirection, prompt_name: promptName }, "must be an object").nullish(),
  })
  .meta({ id: "SimilarityRequest" });

export const similarityResponseSchema = z.array(z.number()).meta({
  id: "SimilarityResponse",
  description: "Cosine similarity of each sentence to the source sentence, in the order of the sentences.",
});

/** Body of `POST /tokenize` in Text Embeddings Inference. Positions count code points here and bytes there. */
export const tokenizeRequestSchema = z
  .object({
    inputs: texts,
    add_special_tokens: optional(z.boolean("must be true or false"), true).meta({
      description: "Include special tokens such as [CLS] and [SEP].",
    }),
    prompt_name: promptName,
  })
  .meta({ id: "TokenizeRequest" });

const position = z.int().nullable();
export const tokenizeResponseSchema = z
  .array(
    z.array(
      z
        .object({
          id: z.int(),
          text: z.string().meta({ description: "The substring of the text that the token covers." }),
          special: z.boolean().meta({ description: "Whether it is a special token such as [CLS]." }),
          start: position.meta({
            description: "Position of its first code point in the text. Null for special tokens, tokens of a prompt, and if unknown.",
          }),
          stop: position.meta({ description: "Position after its last code point." }),
        })
        .meta({ id: "Token" }),
    ),
  )
  .meta({ id: "TokenizeResponse", description: "All tokens of each text, without truncation." });
export type TokenizeResponse = z.infer<typeof tokenizeResponseSchema>;

/** Body of OpenAI's `POST /v1/embeddings`. */
export const embeddingsRequestSchema = z
  .object({
    input: oneOrMany(
      "must be a text or a list of texts. Token ids are not supported: configure the client to send texts " +
        "(in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
    ),
    model: z
      .string("must be the name of a model")
      .nullish()
      .meta({ description: "The model's id or an alias. Append `:query` to embed queries.", example: null }),
    encoding_format: optional(z.enum(["float", "base64"], 'must be "float" or "base64"'), "float").meta({
      description: "Return vectors as lists of numbers, or as base64 of little-endian float32.",
    }),
    dimensions,
    user: z.string("must be a text").nullish().meta({ description: "Ignored." }),
    input_type: z
      .enum(["query", "passage"], 'must be "query" or "passage"')
      .nullish()
      .meta({ description: "Extension of OpenAI's API: whether the input consists of queries or passages. Default: passage." }),
  })
  .meta({ id: "EmbeddingsRequest" });

export const embeddingsResponseSchema = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string().meta({ description: "The model name of the request." }),
    usage: z
      .object({ prompt_tokens: z.int(), total_tokens: z.int() })
      .meta({ description: "Tokens computed, after truncation, including special tokens and prompts." }),
  })
  .meta({ id: "EmbeddingsResponse" });
export type EmbeddingsResponse = z.infer<typeof embeddingsResponseSchema>;

export const openAIModelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int().meta({ description: "Unix time in seconds; always 0, because it is unknown." }),
    owned_by: z.string(),
  })
  .meta({ id: "Model" });
export type OpenAIModel = z.infer<typeof openAIModelSchema>;

/** Response of OpenAI's `GET /v1/models`. Aliases are listed like models. */
export const openAIModelListSchema = z.object({ object: z.literal("list"), data: z.array(openAIModelSchema) }).meta({ id: "ModelList" });
export type OpenAIModelList = z.infer<typeof openAIModelListSchema>;

/** Limits of a search request. Search time grows with the query's terms, and faster with its phrases and exclusions. */
const searchLimits = { characters: 2_000, operators: 16, filterValues: 1_000 };

/** Values of a filter. Validation stops at the first invalid or excess value, because an issue per value would cost time and memory. */
const filterValues = z.preprocess(
  (list) => (Array.isArray(list) ? upToFirstFault(list.slice(0, searchLimits.filterValues + 1)) : list),
  z
    .array(z.string("must be a text"), "must be a list of texts")
    .max(searchLimits.filterValues, `must hold at most ${searchLimits.filterValues} values`),
);

/** Body of `POST /search`. */
export const searchRequestSchema = z.object({
  query: z
    .string("must be a text")
    .min(1, "must not be empty")
    .max(searchLimits.characters, { message: `must have at most ${searchLimits.characters} characters`, abort: true })
    .refine(
      (query) => operatorsIn(query) <= searchLimits.operators,
      `must have at most ${searchLimits.operators} quoted phrases and exclusions`,
    )
    .meta({ example: 'heating "heat pump" -noise' }),
  limit: z.int().min(1).max(100).default(10).meta({ description: "Maximum number of hits." }),
  min_relevance: z.number().min(0).max(1).default(0).meta({ description: "A value above 0 excludes hits without a vector." }),
  mode: z.enum(["hybrid", "semantic", "keyword"]).default("hybrid"),
  filter: z
    .object({
      documents: filterValues.optional().meta({ description: 'Document ids; an id that ends in "/" matches all ids with that prefix.' }),
      kinds: filterValues.optional(),
    })
    .default({}),
});

export type SearchRequest = z.output<typeof searchRequestSchema>;

function operatorsIn(query: string): number {
  const { phrases, excluded } = parseQuery(query);
  return phrases.length + excluded.length;
}

const place = z.object({ start: z.int(), end: z.int() });

/** A passage that answers a query, and its document. */
const hitSchema = z
  .object({
    id: z.string().meta({ description: "Of the document." }),
    title: z.string(),
    fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()])),
    length: z.int().meta({ description: "UTF-16 code units of the document's text." }),
    strength: z.enum(["strong", "good", "weak"]),
    cosine: z.number().nullable().meta({ description: "Cosine of query and passage; null if one of them has no vector." }),
    relevance: z.number().nullable().meta({ description: "0 to 1, from the cosine; null if it is." }),
    passage: z.object({
      text: z.string(),
      ...place.shape,
      headings: z.array(z.string()).readonly(),
      marks: z
        .array(place)
        .readonly()
        .meta({ description: "Where words of the query occur, in UTF-16 code units of the document's text." }),
    }),
  })
  .meta({ id: "Hit" });

export const searchResponseSchema = z.object({
  mode: z.enum(["hybrid", "semantic", "keyword"]).meta({ description: "The mode used." }),
  hits: z.array(hitSchema).readonly(),
});

export type SearchResponse = z.output<typeof searchResponseSchema>;

/** Response of `GET /health`, which never waits for the encoder. */
export const healthSchema = z
  .object({
    status: z.enum(["idle", "loading", "ok", "degraded", "failed"]),
    workers: z.object({ ready: z.int(), size: z.int() }),
    error: z.string().optional().meta({ description: "Reason of the failed model load when `status` is `failed`." }),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof healthSchema>;

/** Response of `GET /info`: the fields of Text Embeddings Inference and additional ones. */
export const serviceInfoSchema = z
  .object({
    model_id: z.string(),
    model_sha: z.string().meta({ description: "Fingerprint of the model. Do not compare vectors with different fingerprints." }),
    model_type: z.object({ embedding: z.object({ pooling: z.enum(["cls", "mean"]) }) }),
    max_input_length: z.int().meta({ description: "Maximum tokens per text, including special tokens and prompt." }),
    max_client_batch_size: z.int().meta({ description: "Maximum texts per request." }),
    auto_truncate: z.boolean().meta({ description: "Whether longer texts are truncated by default." }),
    version: z.string(),
    dimensions: z.int(),
    prompts: z.object({ query: z.string(), passage: z.string() }),
    device: z.string().nullable(),
    workers: healthSchema.shape.workers,
  })
  .meta({ id: "Info" });
export type ServiceInfo = z.infer<typeof serviceInfoSchema>;

/** Error response outside `/v1`. */
export const errorResponseSchema = z
  .object({
    error: z.string(),
    error_type: z.enum(["Validation", "Empty", "Tokenizer", "Overloaded", "Backend"]),
    code: z.string(),
    details: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .optional()
      .meta({
        description:
          "`path`: field of the body. `index`: index of the text. `limit`, `found`: limit and actual value. `retryAfter`: seconds.",
      }),
  })
  .meta({ id: "Error" });
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

/** Error response of `/v1`. */
export const openAIErrorResponseSchema = z
  .object({ error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }) })
  .meta({ id: "OpenAIError" });
export type OpenAIErrorResponse = z.infer<typeof openAIErrorResponseSchema>;
