import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Rejects bodies of more than `maxBytes` with `body_too_large`. A declared length is checked without reading the body: Hono's middleware
 * wraps the body in a stream, which costs more than the rest of a short request.
 */
export function maxBodySize(maxBytes: number): MiddlewareHandler {
  const reject = (): never => {
    throw new EncoderError("body_too_large", `The body exceeds ${maxBytes} bytes`, { limit: maxBytes });
  };
  const limitStream = bodyLimit({ maxSize: maxBytes, onError: reject });
  return async function maxBodySize(c, next) {
    const declared = c.req.header("content-length");
    if (declared === undefined || c.req.header("transfer-encoding") !== undefined) return limitStream(c, next);
    if (Number(declared) > maxBytes) reject();
    return next();
  };
}
