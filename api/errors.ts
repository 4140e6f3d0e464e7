import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ErrorResponse, OpenAIErrorResponse } from "../shared/contract.ts";
import { EncoderError, type ErrorCode } from "../shared/errors.ts";

/** Typical time to replace a dead worker, in s. */
const replacementTime = 2;

/**
 * Responds with an error in the format of the requested API: OpenAI under `/v1`, otherwise Text Embeddings Inference with an
 * additional `code`. The response never contains a stack trace or a caller's text.
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

/** OpenAI's API returns 400 for every error in a parsed body, and 500 when inference fails. */
const openAIStatuses: { readonly [code in ErrorCode]?: ContentfulStatusCode } = {
  invalid_request: 400,
  too_many_texts: 400,
  text_too_long: 400,
  invalid_dimensions: 400,
  lone_surrogate: 400,
  inference_failed: 500,
};

function openAIError(c: Context, error: EncoderError): Response {
  const isClientError = error.type !== "Backend" && error.type !== "Overloaded";
  const { index } = error.details;
  const param = error.details.path ?? (index === undefined ? null : `input.${index}`);
  const type = isClientError ? "invalid_request_error" : error.type === "Overloaded" ? "rate_limit_error" : "server_error";
  const body: OpenAIErrorResponse = { error: { message: error.message, type, param, code: error.code } };
  return c.json(body, openAIStatuses[error.code] ?? error.status);
}

/**
 * Returns the error that a caller may see. Server-side errors get a fixed message per code, because the original message may contain a
 * path or a library's output.
 */
export function publicError(thrown: unknown): EncoderError {
  const error = EncoderError.from(thrown);
  if (error.type !== "Backend") return error;
  return new EncoderError(error.code, publicMessages[error.code] ?? internalError, error.details);
}

const internalError = "Internal error";

const publicMessages: { readonly [code in ErrorCode]?: string } = {
  inference_failed: "Inference failed for this text",
  load_failed: "The model could not be loaded",
  integrity_failed: "A model file does not match its checksum",
  self_test_failed: "The model failed its self-test",
  device_unavailable: "The requested device is not available",
  index_unavailable: "The index is not available",
  worker_died: "The worker died while computing the request",
  timeout: "The request timed out",
  disposed: "The service is shutting down",
};
