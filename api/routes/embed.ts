import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { embedRequestSchema, embedResponseSchema } from "../../shared/contract.ts";
import { sendList, vectorJson } from "../json-answer.ts";
import { addRoute, computeFailures, computeHeaders, jsonAnswer, jsonBody } from "../openapi.ts";
import type { PendingTexts } from "../pending-texts.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";
import { setComputeHeaders } from "./compute-headers.ts";

/** `POST /embed` and its alias `POST /` of Text Embeddings Inference. They return a list of vectors. */
export function embedRoutes({ encoder, config }: Service, pendingTexts: PendingTexts): OpenAPIHono {
  const embed = async (c: Context): Promise<Response> => {
    const started = performance.now();
    const { inputs, normalize, truncate, truncation_direction, prompt_name, dimensions } = await readBody(c, embedRequestSchema);
    const texts = textsOf(inputs, config);
    const release = pendingTexts.add(texts);
    try {
      const embeddings = await encoder.embed(texts, {
        inputType: prompt_name,
        normalize,
        truncate,
        truncationDirection: truncation_direction,
        ...(dimensions && { dimensions }),
        signal: c.get("signal"),
      });
      setComputeHeaders(c, { encoder, texts, embeddings, started });
      const { vectors } = embeddings;
      return sendList(c, { count: vectors.length, item: (index) => vectorJson(vectors[index]) }, release);
    } catch (error) {
      release();
      throw error;
    }
  };

  const routes = new OpenAPIHono();
  for (const path of ["/embed", "/"]) {
    addRoute(
      routes,
      {
        method: "post",
        path,
        tags: ["Text Embeddings Inference"],
        summary: "Embed texts",
        request: jsonBody(embedRequestSchema),
        responses: { 200: { ...jsonAnswer("One vector per text.", embedResponseSchema), headers: computeHeaders }, ...computeFailures },
      },
      embed,
    );
  }
  return routes;
}
