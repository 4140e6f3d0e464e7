import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { embedRequestSchema, embedResponseSchema } from "../../shared/contract.ts";
import { addRoute, computeFailures, computeHeaders, jsonAnswer, jsonBody } from "../openapi.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";
import { tellWork } from "./work.ts";

/** `POST /embed`, which is also `POST /`, as in Text Embeddings Inference: `[texts, dimensions]` as JSON. */
export function embedRoutes({ encoder, config }: Service): OpenAPIHono {
  const embed = async (c: Context): Promise<Response> => {
    const started = performance.now();
    const { inputs, normalize, truncate, truncation_direction, prompt_name, dimensions } = await readBody(c, embedRequestSchema);
    const texts = textsOf(inputs, config);
    const embeddings = await encoder.embed(texts, {
      kind: prompt_name,
      normalize,
      truncate,
      truncationDirection: truncation_direction,
      ...(dimensions && { dimensions }),
      // A client that hangs up has its waiting texts dropped.
      signal: c.req.raw.signal,
    });
    tellWork(c, { encoder, texts, embeddings, started });
    return c.json(embeddings.vectors.map((vector) => Array.from(vector)));
  };

  const routes = new OpenAPIHono();
  for (const path of ["/embed", "/"]) {
    addRoute(
      routes,
      {
        method: "post",
        path,
        tags: ["Text Embeddings Inference"],
        summary: "Texts to vectors",
        request: jsonBody(embedRequestSchema),
        responses: { 200: { ...jsonAnswer("A vector per text.", embedResponseSchema), headers: computeHeaders }, ...computeFailures },
      },
      embed,
    );
  }
  return routes;
}
