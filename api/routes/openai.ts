import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  type EmbeddingsResponse,
  embeddingsRequestSchema,
  embeddingsResponseSchema,
  type OpenAIModel,
  type OpenAIModelList,
  openAIErrorResponseSchema,
  openAIModelListSchema,
  openAIModelSchema,
} from "../../shared/contract.ts";
import type { InputType } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { encodeVector } from "../../shared/vector.ts";
import { sendList, vectorJson } from "../json-answer.ts";
import { addRoute, computeHeaders, failureAnswers, jsonAnswer, jsonBody, openAIComputeFailures } from "../openapi.ts";
import type { PendingTexts } from "../pending-texts.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";
import { setComputeHeaders } from "./compute-headers.ts";

/** Suffix of the model name that marks the input as queries, for OpenAI clients that can set only the model name. */
const querySuffix = ":query";

/** OpenAI's embeddings and models API, for mounting under `/v1`. */
export function openAIRoutes({ encoder, config }: Service, pendingTexts: PendingTexts): OpenAPIHono {
  /** The model's id, followed by its aliases. */
  const names = async (c: Context): Promise<[string, ...string[]]> => {
    const { id } = await encoder.load({ signal: c.get("signal") });
    return [id, ...config.modelAliases];
  };
  const routes = new OpenAPIHono();

  addRoute(
    routes,
    {
      method: "post",
      path: "/embeddings",
      tags: ["OpenAI"],
      summary: "Embed texts",
      request: jsonBody(embeddingsRequestSchema),
      responses: {
        200: {
          ...jsonAnswer("One vector per text, and the number of tokens computed.", embeddingsResponseSchema),
          headers: computeHeaders,
        },
        ...openAIComputeFailures,
      },
    },
    async (c) => {
      const started = performance.now();
      const { input, model, encoding_format, dimensions, input_type } = await readBody(c, embeddingsRequestSchema);
      const texts = textsOf(input, config);
      const release = pendingTexts.add(texts);
      try {
        const known = await names(c);
        if (model) checkName(model.endsWith(querySuffix) ? model.slice(0, -querySuffix.length) : model, known);
        const inputType = inputTypeOf(model ?? "", input_type ?? null);
        const embeddings = await encoder.embed(texts, { inputType, ...(dimensions && { dimensions }), signal: c.get("signal") });
        setComputeHeaders(c, { encoder, texts, embeddings, started });
        const { vectors, tokens } = embeddings;
        const total = tokens.reduce((sum, count) => sum + count, 0);
        const { data: _, ...rest }: EmbeddingsResponse = {
          object: "list",
          data: [],
          model: model || known[0],
          usage: { prompt_tokens: total, total_tokens: total },
        };
        const embeddingJson = (vector = new Float32Array()) =>
          encoding_format === "base64" ? JSON.stringify(encodeVector(vector)) : vectorJson(vector);
        return sendList(
          c,
          {
            before: `${JSON.stringify(rest).slice(0, -1)},"data":[`,
            after: "]}",
            count: vectors.length,
            item: (index) => `{"object":"embedding","index":${index},"embedding":${embeddingJson(vectors[index])}}`,
          },
          release,
        );
      } catch (error) {
        release();
        throw error;
      }
    },
  );

  const modelFailures = [401, 421, 429, 500, 503] as const;
  addRoute(
    routes,
    {
      method: "get",
      path: "/models",
      tags: ["OpenAI"],
      summary: "List the model and its aliases",
      responses: {
        200: jsonAnswer("The model and its aliases.", openAIModelListSchema),
        ...failureAnswers(openAIErrorResponseSchema, modelFailures),
      },
    },
    async (c) => {
      const body: OpenAIModelList = { object: "list", data: (await names(c)).map(modelOf) };
      return c.json(body);
    },
  );
  addRoute(
    routes,
    {
      method: "get",
      path: "/models/{model}",
      tags: ["OpenAI"],
      summary: "Get the model or an alias",
      request: { params: z.object({ model: z.string() }) },
      responses: {
        200: jsonAnswer("The model.", openAIModelSchema),
        ...failureAnswers(openAIErrorResponseSchema, [404, ...modelFailures]),
      },
    },
    async (c) => {
      const name = c.req.param("model") ?? "";
      checkName(name, await names(c));
      return c.json(modelOf(name));
    },
  );
  return routes;
}

/** Throws `model_not_found` unless `name` is the model's id, its id with an organization prefix, or an alias. */
function checkName(name: string, [id, ...aliases]: readonly [string, ...string[]]): void {
  if (name === id || aliases.includes(name) || name.endsWith(`/${id}`)) return;
  throw new EncoderError("model_not_found", `Unknown model. This service has ${id}`, { path: "model" });
}

/** The input type, from the model name's suffix or `input_type`. Throws `invalid_request` when they conflict. */
function inputTypeOf(model: string, inputType: InputType | null): InputType {
  const query = model.endsWith(querySuffix);
  if (query && inputType === "passage") {
    throw new EncoderError("invalid_request", `input_type: must not be "passage" with a model whose name ends in "${querySuffix}"`, {
      path: "input_type",
    });
  }
  return query ? "query" : (inputType ?? "passage");
}

function modelOf(name: string): OpenAIModel {
  return { id: name, object: "model", created: 0, owned_by: "samevec" };
}
