import type { MiddlewareHandler } from "hono";
import { rateLimiter } from "hono-rate-limiter";
import { EncoderError } from "../../shared/errors.ts";

/** Length of the window in ms. */
const window = 1_000;

/**
 * Limits each API key to `perSecond` requests per second and throws `rate_limited` beyond. Must follow `requireApiKey`. Keys are counted
 * by their index, so that the counter stores no key.
 */
export function limitRate(perSecond: number): MiddlewareHandler {
  return rateLimiter({
    windowMs: window,
    limit: perSecond,
    standardHeaders: false,
    keyGenerator: (c) => String(c.get("apiKey")),
    handler() {
      throw new EncoderError("rate_limited", `This API key is limited to ${perSecond} requests per second`, {
        limit: perSecond,
        retryAfter: 1,
      });
    },
  });
}
