import type { Context, MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

/** Matches `application/json` and types such as `application/vnd.api+json`, with any parameters. */
const json = /^\s*application\/([\w!#$&^.-]+\+)?json\s*(;|$)/i;

/**
 * Requires a JSON content type and throws `unsupported_media_type` otherwise, before the body is read. Browsers send this content type
 * to another origin only after a preflight, so that only pages of `CORS_ORIGINS` can call the API.
 */
export function requireJsonBody(): MiddlewareHandler {
  return async function requireJsonBody(c, next) {
    const type = c.req.header("content-type");
    if (!json.test(type ?? "") && !(type === undefined && hasNoBody(c))) {
      throw new EncoderError("unsupported_media_type", "The body must be JSON: Content-Type: application/json");
    }
    await next();
  };
}

/** A request without a body and without a content type passes: the route reports that the body is missing. */
function hasNoBody({ req }: Context): boolean {
  const length = req.header("content-length");
  if (length !== undefined || req.header("transfer-encoding") !== undefined) return length === "0";
  return req.raw.body === null;
}
