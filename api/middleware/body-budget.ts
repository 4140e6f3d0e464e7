import type { Context, MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

export interface BodyBudget {
  /** The most bytes of the bodies of all requests in flight. */
  readonly maxBytes: number;
  /** The most bytes of one body: what a body counts that does not declare its length. */
  readonly maxBodyBytes: number;
}

/**
 * Takes a body only where all bodies in flight fit into the budget; throws `overloaded` at others, before they are read.
 * A body is in flight from here until its request is answered or aborted. A body that is alone always passes.
 */
export function limitBodiesInFlight({ maxBytes, maxBodyBytes }: BodyBudget): MiddlewareHandler {
  let inFlight = 0;
  return async function limitBodiesInFlight(c, next) {
    // A body of unknown length leaves room for others.
    const bytes = declaredLength(c) ?? Math.min(maxBodyBytes, maxBytes / 2);
    // It is refused without being read by the limit of one body, which knows the better reason.
    if (bytes > maxBodyBytes) return next();
    if (inFlight > 0 && inFlight + bytes > maxBytes) {
      throw new EncoderError("overloaded", `The bodies in flight have more than ${maxBytes} bytes`, { limit: maxBytes, retryAfter: 1 });
    }
    inFlight += bytes;
    try {
      await next();
    } finally {
      inFlight -= bytes;
    }
  };
}

/** Bytes by `Content-Length`; null where the body is chunked, whatever else it declares. */
function declaredLength({ req }: Context): number | null {
  const length = req.header("content-length");
  return length !== undefined && /^\d+$/.test(length) && req.header("transfer-encoding") === undefined ? Number(length) : null;
}
