import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ErrorResponse, OpenAIErrorResponse } from "../shared/contract.ts";
import { EncoderError, type ErrorCode } from "../shared/errors.ts";

/** About how long it takes to put a new worker in a dead one's place, in s. */
const replacementTime = 2;

/**
 * Answers with an error, in the form of the API that was asked: OpenAI's under `/v1`, else that of Text Embeddings
 * Inference with our code. Never with a stack, never with a caller's text.
 */
export function respondWithError(c: Context, thrown: unknown): Response {
  const error = publicError(thrown);
  const retryAfter = error.details.retryAfter ?? (error.status === 503 && error.retryable ? replacementTime : null);
  if (retryAfter !== null) c.header("retry-after", String(Math.ceil(retryAfter)));
  return /^\/v1(\/|$)/.test(c.req.path) ? openAIError(c, error) : teiError(c, error);
}

function teiError(c: Context, { message, type, code, details, status }: EncoderError): Response {
  const body: ErrorResponse = { error: message, error_type: type, code };
  if (Object.keys(details).length > 0) body.details = { ...details };
  return c.json(body, status satisfies ContentfulStatusCode);
}

/** OpenAI answers 400 to whatever is wrong with a body that it has read, and 500 where the model failed on it. */
const openAIStatuses: { readonly [code in ErrorCode]?: ContentfulStatusCode } = {
  invalid_request: 400,
  too_many_texts: 400,
  text_too_long: 400,
  invalid_dimensions: 400,
  lone_surrogate: 400,
  inference_failed: 500,
};

function openAIError(c: Context, error: EncoderError): Response {
  const callersFault = error.type !== "Backend" && error.type !== "Overloaded";
  const { index } = error.details;
  const param = error.details.path ?? (index === undefined ? null : `input.${index}`);
  const type = callersFault ? "invalid_request_error" : error.type === "Overloaded" ? "rate_limit_error" : "server_error";
  const body: OpenAIErrorResponse = { error: { message: error.message, type, param, code: error.code } };
  return c.json(body, openAIStatuses[error.code] ?? error.status);
}

/**
 * What a caller may read of an error. Where the fault is ours, a sentence for each code: the error's own message may
 * hold a path or what a library said.
 */
export function publicError(thrown: unknown): EncoderError {
  const error = EncoderError.from(thrown);
  if (error.type !== "Backend") return error;
  return new EncoderError(error.code, publicMessages[error.code] ?? ourFault, error.details);
}

const ourFault = "Something failed on our side";

const publicMessages: { readonly [code in ErrorCode]?: string } = {
  inference_failed: "The model failed on this text",
  load_failed: "The model could not be loaded",
  integrity_failed: "A file of the model is not the one that belongs to it",
  self_test_failed: "The model does not compute what it should",
  device_unavailable: "The device that was asked for is not there",
  worker_died: "What computed the request died",
  timeout: "The request was not computed in time",
  disposed: "The service ends",
};
