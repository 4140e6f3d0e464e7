import { OpenAPIHono } from "@hono/zod-openapi";
import { similarityRequestSchema, similarityResponseSchema } from "../../shared/contract.ts";
import { EncoderError } from "../../shared/errors.ts";
import { cosineSimilarity } from "../../shared/vector.ts";
import { addRoute, computeFailures, computeHeaders, jsonAnswer, jsonBody } from "../openapi.ts";
import type { PendingTexts } from "../pending-texts.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";
import { setComputeHeaders } from "./compute-headers.ts";

/** `POST /similarity` of Text Embeddings Inference. It returns the cosine similarity of each sentence to a source sentence. */
export function similarityRoutes({ encoder, config }: Service, pendingTexts: PendingTexts): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/similarity",
      tags: ["Text Embeddings Inference"],
      summary: "Compare sentences with a source sentence",
      request: jsonBody(similarityRequestSchema),
      responses: {
        200: { ...jsonAnswer("One cosine per sentence.", similarityResponseSchema), headers: computeHeaders },
        ...computeFailures,
      },
    },
    async (c) => {
      const started = performance.now();
      const { inputs, parameters } = await readBody(c, similarityRequestSchema);
      const options = parameters && {
        inputType: parameters.prompt_name,
        truncate: parameters.truncate,
        truncationDirection: parameters.truncation_direction,
      };
      let release = () => {};
      try {
        const texts = textsOf([inputs.source_sentence, ...inputs.sentences], config);
        release = pendingTexts.add(texts);
        const embeddings = await encoder.embed(texts, { ...options, signal: c.get("signal") });
        setComputeHeaders(c, { encoder, texts, embeddings, started });
        const [source = new Float32Array(), ...others] = embeddings.vectors;
        return c.json(others.map((other) => cosineSimilarity(source, other)));
      } catch (error) {
        throw withPath(error);
      } finally {
        release();
      }
    },
  );
  return routes;
}

/** Replaces the text's index in an error by its path in the body, because the source sentence shifts the indexes. */
function withPath(error: unknown): unknown {
  if (!(error instanceof EncoderError) || error.details.index === undefined) return error;
  const { index, ...details } = error.details;
  const path = index === 0 ? "inputs.source_sentence" : `inputs.sentences.${index - 1}`;
  return new EncoderError(error.code, error.message, { ...details, path });
}
