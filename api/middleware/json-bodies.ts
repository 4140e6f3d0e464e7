import type { MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

/** `application/json` and its relatives such as `application/vnd.api+json`, with any parameters. */
const json = /^\s*application\/([\w!#$&^.-]+\+)?json\s*(;|$)/i;

/**
 * Takes bodies of JSON alone; throws `unsupported_media_type` at others, before they are read. A page of another origin
 * cannot send this content type without a preflight, which is answered only where `CORS_ORIGINS` names the origin.
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
