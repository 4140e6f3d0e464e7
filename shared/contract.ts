/**
 * The wire: what clients send and get. Every other type of the API is inferred from these schemas, and so is the
 * description at `/openapi.json`.
 */
import { z } from "zod";
import { parseQuery } from "./search/query.ts";

/** A field that may be left out or, as many clients have it, be null: both mean `value`. */
const optional = <Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) =>
  schema
    .nullish()
    .transform((given): z.output<Schema> => given ?? value)
    .meta({ default: value });

/**
 * A list of texts, read up to the first element that is none, which `message` refuses: a body of nothing but token ids
 * would else be millions of faults, and seconds in which nobody else is answered.
 */
const listOfTexts = (message: string) =>
  z.preprocess(upToFirstFault, z.array(z.string(message), "must be a list of texts").min(1, "must hold at least one text"));

function upToFirstFault(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  const fault = list.findIndex((element) => typeof element !== "string");
  return fault < 0 ? list : list.slice(0, fault + 1);
}

/** A text or a list of texts, each of them refused with `message` where it is something else. */
const oneOrMany = (message: string) =>
  z.union([z.string(message), listOfTexts(message)], message).meta({ example: ["a text", "another text"] });

const texts = oneOrMany("must be a text or a list of texts").meta({ description: "A text or a list of texts, each of valid Unicode." });
const dimensions = z
  .int("must be a whole number")
  .min(1, "must be at least 1")
  .nullish()
  .meta({ description: "Keep the first so many dimensions of each vector. Default: all.", example: 384 });
const truncate = optional(z.boolean("must be true or false"), true).meta({
  description: "Cut a text that is longer than the model's limit; false refuses it.",
});
const truncationDirection = optional(z.enum(["Left", "Right", "left", "right"], 'must be "Left" or "Right"'), "Right")
  .transform((side) => (side === "Left" || side === "left" ? "left" : "right"))
  .meta({ description: "The end of a text that is cut off." });
const promptName = optional(z.enum(["query", "passage"], 'must be "query" or "passage"'), "passage").meta({
  description: "Which of the model's prompts goes before each text. In most models passages have none.",
});

/** `POST /embed`, as Text Embeddings Inference has it. */
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
  .meta({ id: "EmbedResponse", description: "One vector per text, in their order, also for a single text." });

/** `POST /similarity`, as Text Embeddings Inference has it. */
export const similarityRequestSchema = z
  .object({
    inputs: z
      .object(
        {
          source_sentence: z.string("must be a text"),
          sentences: listOfTexts("must be a text"),
        },
        "must be an object of source_sentence and sentences",
      )
      .meta({ example: { source_sentence: "a text", sentences: ["a similar text", "something else"] } }),
    parameters: z.object({ truncate, truncation_direction: truncationDirection, prompt_name: promptName }, "must be an object").nullish(),
  })
  .meta({ id: "SimilarityRequest" });

export const similarityResponseSchema = z
  .array(z.number())
  .meta({ id: "SimilarityResponse", description: "The cosine of each of the sentences to the source sentence, in their order." });

/** `POST /tokenize`, as Text Embeddings Inference has it, but for positions in code points where that counts bytes. */
export const tokenizeRequestSchema = z
  .object({
    inputs: texts,
    add_special_tokens: optional(z.boolean("must be true or false"), true).meta({
      description: "Whether what the tokenizer puts around a text, such as [CLS] and [SEP], is among its tokens.",
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
          text: z.string().meta({ description: "The part of the text that the token stands for." }),
          special: z.boolean().meta({ description: "Whether the tokenizer put it around the text." }),
          start: position.meta({
            description: "Its first code point in the text. Null for special tokens, for those of a prompt, and where it is not known.",
          }),
          stop: position.meta({ description: "The code point behind its last one." }),
        })
        .meta({ id: "Token" }),
    ),
  )
  .meta({ id: "TokenizeResponse", description: "All tokens of each text, nothing cut off." });
export type TokenizeResponse = z.infer<typeof tokenizeResponseSchema>;

/** `POST /v1/embeddings`, as OpenAI has it. */
export const embeddingsRequestSchema = z
  .object({
    input: oneOrMany(
      "must be a text or a list of texts. Lists of numbers are token ids of another model's tokenizer, which mean nothing here: " +
        "let your client send texts (in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
    ),
    model: z
      .string("must be the name of a model")
      .nullish()
      .meta({ description: "The model's id or one of its aliases; with `:query` behind it, the input is of queries.", example: null }),
    encoding_format: optional(z.enum(["float", "base64"], 'must be "float" or "base64"'), "float").meta({
      description: "Vectors as lists of numbers, or as base64 of little-endian float32.",
    }),
    dimensions,
    user: z.string("must be a text").nullish().meta({ description: "Not looked at." }),
    input_type: z
      .enum(["query", "passage"], 'must be "query" or "passage"')
      .nullish()
      .meta({ description: "Not of OpenAI: whether the input is of queries or of passages. Default: passages." }),
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
    model: z.string().meta({ description: "As it was asked for." }),
    usage: z
      .object({ prompt_tokens: z.int(), total_tokens: z.int() })
      .meta({ description: "Tokens computed: special tokens and prompts included, after any cut." }),
  })
  .meta({ id: "EmbeddingsResponse" });
export type EmbeddingsResponse = z.infer<typeof embeddingsResponseSchema>;

export const openAIModelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int().meta({ description: "Unix time in s; 0, for it is not known." }),
    owned_by: z.string(),
  })
  .meta({ id: "Model" });
export type OpenAIModel = z.infer<typeof openAIModelSchema>;

/** `GET /v1/models`, as OpenAI has it: the model, and its aliases as if each were one. */
export const openAIModelListSchema = z.object({ object: z.literal("list"), data: z.array(openAIModelSchema) }).meta({ id: "ModelList" });
export type OpenAIModelList = z.infer<typeof openAIModelListSchema>;

/** Bounds the time of a search, which grows with the query's terms and, faster, with its phrases and exclusions. */
const searchLimits = { characters: 2_000, operators: 16, filterValues: 1_000 };

/** The values of a filter, read up to the first invalid or excess one: an issue per value would cost time and memory. */
const filterValues = z.preprocess(
  (list) => (Array.isArray(list) ? upToFirstFault(list.slice(0, searchLimits.filterValues + 1)) : list),
  z
    .array(z.string("must be a text"), "must be a list of texts")
    .max(searchLimits.filterValues, `must hold at most ${searchLimits.filterValues} values`),
);

/** `POST /search`, when the service has an index file. */
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
  limit: z.int().min(1).max(100).default(10).meta({ description: "Maximum number of results." }),
  min_score: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta({ description: "Minimum relevance. Above 0, results without a vector are left out." }),
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

export const searchResponseSchema = z.object({
  mode: z.enum(["hybrid", "semantic", "keyword"]).meta({ description: "The mode used." }),
  results: z.array(
    z.object({
      document: z.object({ id: z.string(), title: z.string(), kind: z.string() }),
      text: z.string(),
      ...place.shape,
      headings: z.array(z.string()),
      score: z.number().nullable().meta({ description: "Relevance, 0 to 1; null without a vector." }),
      weak: z.boolean(),
      words: z.array(place).meta({ description: "Where terms of the query occur, in UTF-16 code units of the document." }),
    }),
  ),
});

export type SearchResponse = z.output<typeof searchResponseSchema>;

/** `GET /health`: answers at once, whatever the encoder is doing. */
export const healthSchema = z
  .object({
    status: z.enum(["idle", "loading", "ok", "degraded", "failed"]),
    workers: z.object({ ready: z.int(), size: z.int() }),
    error: z.string().optional().meta({ description: "Why the model is not there, while `status` is `failed`." }),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof healthSchema>;

/** `GET /info`: the names of Text Embeddings Inference, and ours. */
export const serviceInfoSchema = z
  .object({
    model_id: z.string(),
    model_sha: z.string().meta({ description: "The model's fingerprint: vectors of different fingerprints must not be compared." }),
    model_type: z.object({ embedding: z.object({ pooling: z.enum(["cls", "mean"]) }) }),
    max_input_length: z.int().meta({ description: "The most tokens of a text, special tokens and prompt included." }),
    max_client_batch_size: z.int().meta({ description: "The most texts of a request." }),
    auto_truncate: z.boolean().meta({ description: "Whether longer texts are cut when a request does not say." }),
    version: z.string(),
    dimensions: z.int(),
    prompts: z.object({ query: z.string(), passage: z.string() }),
    device: z.string().nullable(),
    workers: healthSchema.shape.workers,
  })
  .meta({ id: "Info" });
export type ServiceInfo = z.infer<typeof serviceInfoSchema>;

/** Errors of every route but OpenAI's. */
export const errorResponseSchema = z
  .object({
    error: z.string(),
    error_type: z.enum(["Validation", "Empty", "Tokenizer", "Overloaded", "Backend"]),
    code: z.string(),
    details: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .optional()
      .meta({ description: "`path`: where in the body; `index`: which text; `limit`, `found`; `retryAfter`: in s." }),
  })
  .meta({ id: "Error" });
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

/** Errors of `/v1`. */
export const openAIErrorResponseSchema = z
  .object({ error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }) })
  .meta({ id: "OpenAIError" });
export type OpenAIErrorResponse = z.infer<typeof openAIErrorResponseSchema>;
