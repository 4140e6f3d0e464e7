import type { Context } from "hono";
import type { Embeddings, Encoder } from "../../shared/encoder/encoder.ts";

/** Results and context of a computed request. */
export interface ComputedWork {
  readonly encoder: Encoder;
  readonly texts: readonly string[];
  readonly embeddings: Embeddings;
  /** `performance.now()` when the request arrived. */
  readonly started: number;
}

/** Sets the response headers and the `work` that metrics count. */
export function setComputeHeaders(c: Context, { encoder, texts, embeddings, started }: ComputedWork): void {
  const { tokens, truncated, time } = embeddings;
  const total = sum(tokens);
  c.set("work", { texts: texts.length, tokens: total, ...time });
  c.header("x-model-fingerprint", encoder.info().model?.fingerprint ?? "");
  c.header("x-compute-tokens", String(total));
  c.header("x-compute-characters", String(sum(texts.map(countCharacters))));
  c.header("x-truncated-inputs", String(truncated.filter((cut) => cut > 0).length));
  // API keys imply several callers: a short time would reveal that another caller embedded the same text.
  if (c.get("apiKey") !== undefined) return;
  c.header("x-total-time", String(Math.round(performance.now() - started)));
  c.header("x-queue-time", String(Math.round(time.queue)));
  c.header("x-inference-time", String(Math.round(time.inference)));
}

/** Counts the code points of a well-formed text: UTF-16 code units minus surrogate pairs. */
function countCharacters(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff]/g)?.length ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
