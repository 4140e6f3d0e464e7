import { OpenAPIHono } from "@hono/zod-openapi";
import { type TokenizeResponse, tokenizeRequestSchema, tokenizeResponseSchema } from "../../shared/contract.ts";
import { addRoute, computeFailures, jsonAnswer, jsonBody } from "../openapi.ts";
import type { PendingTexts } from "../pending-texts.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";

/** `POST /tokenize` of Text Embeddings Inference. It returns the tokens of each text with their positions. */
export function tokenizeRoutes({ encoder, config }: Service, pendingTexts: PendingTexts): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/tokenize",
      tags: ["Text Embeddings Inference"],
      summary: "Tokenize texts",
      request: jsonBody(tokenizeRequestSchema),
      responses: { 200: jsonAnswer("One list of tokens per text.", tokenizeResponseSchema), ...computeFailures },
    },
    async (c) => {
      const { inputs, add_special_tokens, prompt_name } = await readBody(c, tokenizeRequestSchema);
      const texts = textsOf(inputs, { ...config, maxCharacters: config.maxTokenizeCharacters });
      const release = pendingTexts.add(texts);
      try {
        const tokens = await encoder.tokenize(texts, {
          inputType: prompt_name,
          specialTokens: add_special_tokens,
          maxTokens: config.maxTokenizeTokens,
          signal: c.get("signal"),
        });
        return c.json(tokens satisfies TokenizeResponse);
      } finally {
        release();
      }
    },
  );
  return routes;
}
