import type { Context } from "hono";
import { embedRequestSchema } from "../../shared/contract.ts";
import type { Embeddings, Encoder } from "../../shared/encoder/encoder.ts";
import type { Service } from "../app.ts";
import { readBody, textsOf } from "./body.ts";

/** `POST /embed`, as Text Embeddings Inference has it: `[n, dimensions]` as JSON. */
export function embedRoute({ encoder, config }: Service) {
  return async (c: Context): Promise<Response> => {
    const { inputs, normalize, truncate, prompt_name, dimensions } = await readBody(c, embedRequestSchema);
    const embeddings = await encoder.embed(textsOf(inputs, config.maxTexts), {
      kind: prompt_name,
      normalize,
      truncate,
      ...(dimensions === undefined ? {} : { dimensions }),
      // A client that hangs up has its waiting texts dropped.
      signal: c.req.raw.signal,
    });
    setEmbeddingHeaders(c, encoder, embeddings);
    return c.json(embeddings.vectors.map((vector) => Array.from(vector)));
  };
}

/** What a client may want to know of its vectors, where the body has no place for it. */
export function setEmbeddingHeaders(c: Context, encoder: Encoder, { tokens, truncated }: Embeddings): void {
  c.header("x-model-fingerprint", encoder.info().model?.fingerprint ?? "");
  c.header("x-compute-tokens", String(tokens.reduce((sum, count) => sum + count, 0)));
  c.header("x-truncated-inputs", String(truncated.filter((cut) => cut > 0).length));
}
