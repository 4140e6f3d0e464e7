import { type Context, Hono } from "hono";
import { type EmbeddingsResponse, embeddingsRequestSchema } from "../../shared/contract.ts";
import { encodeVector } from "../../shared/encoder/bundled.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { Service } from "../app.ts";
import { respondWithOpenAIError } from "../errors.ts";
import { readBody, textsOf } from "./body.ts";
import { setEmbeddingHeaders } from "./embed.ts";

/** OpenAI's embeddings API, under `/v1`, with its own form of errors. */
export function openAIRoutes(service: Service): Hono {
  const routes = new Hono();
  routes.onError((error, c) => respondWithOpenAIError(c, error));
  routes.post("/embeddings", embeddingsRoute(service));
  return routes;
}

function embeddingsRoute({ encoder, config }: Service) {
  return async (c: Context): Promise<Response> => {
    const { input, model: asked, encoding_format, dimensions } = await readBody(c, embeddingsRequestSchema);
    const texts = textsOf(input, config.maxTexts);
    const { signal } = c.req.raw;
    const { id } = await encoder.load({ signal });
    if (asked !== undefined && ![id, ...config.modelAliases].includes(asked) && !asked.endsWith(`/${id}`)) {
      throw new EncoderError("model_not_found", `The model served here is ${id}`, { path: "model" });
    }
    const embeddings = await encoder.embed(texts, { ...(dimensions === undefined ? {} : { dimensions }), signal });
    const total = embeddings.tokens.reduce((sum, count) => sum + count, 0);
    const body: EmbeddingsResponse = {
      object: "list",
      data: embeddings.vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: encoding_format === "base64" ? encodeVector(vector) : Array.from(vector),
      })),
      model: asked ?? id,
      usage: { prompt_tokens: total, total_tokens: total },
    };
    setEmbeddingHeaders(c, encoder, embeddings);
    return c.json(body);
  };
}
