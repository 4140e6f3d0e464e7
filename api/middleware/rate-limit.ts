import type { MiddlewareHandler } from "hono";
import { rateLimiter } from "hono-rate-limiter";
import { EncoderError } from "../../shared/errors.ts";

/** The span in which requests are counted, in ms. */
const window = 1_000;

/**
 * Takes at most `perSecond` requests a second of each API key; throws `rate_limited` at others. Stands behind
 * `requireApiKey`. The counter knows a key by its place among the keys: no key is kept.
 */
export function limitRate(perSecond: number): MiddlewareHandler {
  return rateLimiter({
    windowMs: window,
    limit: perSecond,
    standardHeaders: false,
    keyGenerator: (c) => String(c.get("apiKey")),
    handler() {
      throw new EncoderError("rate_limited", `This API key has at most ${perSecond} requests a second`, {
        limit: perSecond,
        retryAfter: 1,
      });
    },
  });
}
