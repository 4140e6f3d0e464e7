import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ErrorResponse, OpenAIErrorResponse } from "../shared/contract.ts";
import { EncoderError } from "../shared/errors.ts";

/** An error as Text Embeddings Inference answers it, with our code. Never a stack, never a caller's text. */
export function respondWithError(c: Context, thrown: unknown): Response {
  const error = publicError(thrown);
  const { message, type, code, details } = error;
  const body: ErrorResponse = { error: message, error_type: type, code };
  if (Object.keys(details).length > 0) body.details = { ...details };
  return c.json(body, error.status satisfies ContentfulStatusCode);
}

/** The same error as OpenAI answers it: every fault of the caller's is a 400 there, but for an unknown model. */
export function respondWithOpenAIError(c: Context, thrown: unknown): Response {
  const error = publicError(thrown);
  const callersFault = error.type !== "Backend" && error.type !== "Overloaded";
  const status = callersFault && ![404, 405, 413].includes(error.status) ? 400 : error.status === 424 ? 500 : error.status;
  const { index } = error.details;
  const param = error.details.path ?? (index === undefined ? null : `input.${index}`);
  const type = callersFault ? "invalid_request_error" : error.type === "Overloaded" ? "rate_limit_error" : "server_error";
  const body: OpenAIErrorResponse = { error: { message: error.message, type, param, code: error.code } };
  return c.json(body, status satisfies ContentfulStatusCode);
}

/** What a caller may read: an error that is not ours says only that something failed. */
function publicError(thrown: unknown): EncoderError {
  const error = EncoderError.from(thrown);
  return error.code === "internal" ? new EncoderError("internal", "Something failed on our side") : error;
}
