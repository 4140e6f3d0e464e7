import type { Context, MiddlewareHandler } from "hono";
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
    const declared = declaredLength(c);
    if (declared === null) return limitStream(c, next);
    if (declared > maxBytes) reject();
    return next();
  };
}

/** Bytes of the body by its `Content-Length`; null for a chunked body, even if it declares a length. */
export function declaredLength({ req }: Context): number | null {
  const length = req.header("content-length");
  return length !== undefined && /^\d+$/.test(length) && req.header("transfer-encoding") === undefined ? Number(length) : null;
}
