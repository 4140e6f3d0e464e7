import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Rejects bodies of more than `maxBytes` with `body_too_large`. A declared length is compared by itself: Hono's middleware reads the
 * body as a stream, which costs more than everything else that the service does for a short text.
 */
export function maxBodySize(maxBytes: number): MiddlewareHandler {
  const refuse = (): never => {
    throw new EncoderError("body_too_large", `The body has more than ${maxBytes} bytes`, { limit: maxBytes });
  };
  const limitStream = bodyLimit({ maxSize: maxBytes, onError: refuse });
  return async function maxBodySize(c, next) {
    const declared = c.req.header("content-length");
    if (declared === undefined || c.req.header("transfer-encoding") !== undefined) return limitStream(c, next);
    if (Number(declared) > maxBytes) refuse();
    return next();
  };
}
