import type { MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Requires a Host header with one of `names`, with any port, and throws `unknown_host` otherwise. This prevents DNS rebinding: the
 * attacking page's requests carry the attacker's host name.
 * @param names in lower case; IPv6 addresses in brackets
 */
export function requireKnownHost(names: readonly string[]): MiddlewareHandler {
  const known = new Set(names);
  return async function requireKnownHost(c, next) {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    if (!known.has(host.toLowerCase().replace(/:\d*$/, ""))) {
      throw new EncoderError("unknown_host", "The service does not accept this host name. Add it to ALLOWED_HOSTS");
    }
    await next();
  };
}
