import { OpenAPIHono } from "@hono/zod-openapi";
import { type TokenizeResponse, tokenizeRequestSchema, tokenizeResponseSchema } from "../../shared/contract.ts";
import { addRoute, computeFailures, jsonAnswer, jsonBody } from "../openapi.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";

/** `POST /tokenize`, as Text Embeddings Inference has it: the tokens of each text, and where they stand in it. */
export function tokenizeRoutes({ encoder, config }: Service): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/tokenize",
      tags: ["Text Embeddings Inference"],
      summary: "Texts to tokens",
      request: jsonBody(tokenizeRequestSchema),
      responses: { 200: jsonAnswer("A list of tokens per text.", tokenizeResponseSchema), ...computeFailures },
    },
    async (c) => {
      const { inputs, add_special_tokens, prompt_name } = await readBody(c, tokenizeRequestSchema);
      const tokens = await encoder.tokenize(textsOf(inputs, config), {
        kind: prompt_name,
        specialTokens: add_special_tokens,
        signal: c.req.raw.signal,
      });
      return c.json(tokens satisfies TokenizeResponse);
    },
  );
  return routes;
}
