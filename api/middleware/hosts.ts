import type { MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Answers only requests whose Host header names one of `names`, at any port; throws `unknown_host` at others. A page
 * whose own name was made to point at this machine (DNS rebinding) still sends its name in this header.
 * @param names in lower case; an IPv6 address in brackets
 */
export function requireKnownHost(names: readonly string[]): MiddlewareHandler {
  const known = new Set(names);
  return async function requireKnownHost(c, next) {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    if (!known.has(host.toLowerCase().replace(/:\d*$/, ""))) {
      throw new EncoderError("unknown_host", "The service does not answer under this host name: see ALLOWED_HOSTS");
    }
    await next();
  };
}
