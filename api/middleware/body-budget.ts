import type { MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";
import { declaredLength } from "./body-size.ts";

export interface BodyBudget {
  /** Maximum total bytes of the bodies in flight. */
  readonly maxBytes: number;
  /** Maximum bytes of one body. A body without a declared length counts as this many bytes. */
  readonly maxBodyBytes: number;
}

/**
 * Limits the total bytes of bodies in flight. Beyond the limit it throws `overloaded` before the body is read. A body is in flight until
 * its request is answered or aborted. A single body always fits.
 */
export function limitBodiesInFlight({ maxBytes, maxBodyBytes }: BodyBudget): MiddlewareHandler {
  let inFlight = 0;
  return async function limitBodiesInFlight(c, next) {
    // A body of unknown length leaves room for others.
    const bytes = declaredLength(c) ?? Math.min(maxBodyBytes, maxBytes / 2);
    // The size limit rejects this body with a more specific error.
    if (bytes > maxBodyBytes) return next();
    if (inFlight > 0 && inFlight + bytes > maxBytes) {
      throw new EncoderError("overloaded", `The service is busy: the bodies in flight would exceed ${maxBytes} bytes. Retry in 1 s`, {
        limit: maxBytes,
        retryAfter: 1,
      });
    }
    inFlight += bytes;
    try {
      await next();
    } finally {
      inFlight -= bytes;
    }
  };
}
