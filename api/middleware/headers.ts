import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";

/**
 * Lets pages of `origins` (`*`: of all) call the service from a browser. The preflight allows whatever headers it asks
 * about: OpenAI's client sends a dozen of its own beside Authorization. No cookies: a key is the only credential.
 */
export function crossOrigin(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST"],
    exposeHeaders: [
      "retry-after",
      "x-compute-characters",
      "x-compute-tokens",
      "x-inference-time",
      "x-model-fingerprint",
      "x-queue-time",
      "x-request-id",
      "x-total-time",
      "x-truncated-inputs",
    ],
    maxAge: 7200, // s: the most that Chromium keeps
  });
}

/**
 * Headers that keep a browser from sniffing, framing and leaking. What the page may load is its own business, in its
 * `<meta>`; a header can only narrow that, so it says what a `<meta>` cannot: who may frame it. Scripts come with a policy of their own
 * (shared/content-security-policy.ts). Whether a host is only
 * for HTTPS is known to whoever ends TLS in front, not here.
 */
export function securityHeaders(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: { frameAncestors: ["'self'"] },
    strictTransportSecurity: false,
    overwrite: false,
  });
}
