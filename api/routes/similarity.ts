import { OpenAPIHono } from "@hono/zod-openapi";
import { similarityRequestSchema, similarityResponseSchema } from "../../shared/contract.ts";
import { cosineSimilarity } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { addRoute, computeFailures, computeHeaders, jsonAnswer, jsonBody } from "../openapi.ts";
import type { Service } from "../service.ts";
import { readBody, textsOf } from "./body.ts";
import { tellWork } from "./work.ts";

/** `POST /similarity`, as Text Embeddings Inference has it: how near each of some sentences is to another. */
export function similarityRoutes({ encoder, config }: Service): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/similarity",
      tags: ["Text Embeddings Inference"],
      summary: "How near texts are to one",
      request: jsonBody(similarityRequestSchema),
      responses: {
        200: { ...jsonAnswer("A cosine per sentence.", similarityResponseSchema), headers: computeHeaders },
        ...computeFailures,
      },
    },
    async (c) => {
      const started = performance.now();
      const { inputs, parameters } = await readBody(c, similarityRequestSchema);
      const options = parameters && {
        kind: parameters.prompt_name,
        truncate: parameters.truncate,
        truncationDirection: parameters.truncation_direction,
      };
      try {
        const texts = textsOf([inputs.source_sentence, ...inputs.sentences], config);
        const embeddings = await encoder.embed(texts, { ...options, signal: c.req.raw.signal });
        tellWork(c, { encoder, texts, embeddings, started });
        const [source = new Float32Array(), ...others] = embeddings.vectors;
        return c.json(others.map((other) => cosineSimilarity(source, other)));
      } catch (error) {
        throw withPath(error);
      }
    },
  );
  return routes;
}

/** The error with the place in the body where its text stands, for which an index alone would be misread. */
function withPath(error: unknown): unknown {
  if (!(error instanceof EncoderError) || error.details.index === undefined) return error;
  const { index, ...details } = error.details;
  const path = index === 0 ? "inputs.source_sentence" : `inputs.sentences.${index - 1}`;
  return new EncoderError(error.code, error.message, { ...details, path });
}
