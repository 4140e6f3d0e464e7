import type { MiddlewareHandler } from "hono";
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
    // A request without a body is told that it lacks one.
    const empty = (c.req.header("content-length") ?? "0") === "0" && c.req.header("transfer-encoding") === undefined;
    if (!json.test(type ?? "") && !(empty && type === undefined)) {
      throw new EncoderError("unsupported_media_type", "The body must be JSON: Content-Type: application/json");
    }
    await next();
  };
}
