import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";

/**
 * Allows pages of `origins` (`*`: all origins) to call the API from a browser. The preflight response allows all requested headers:
 * OpenAI's client sends a dozen besides Authorization. Cookies are not allowed, because API keys are the only credential.
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
    maxAge: 7200, // seconds; Chromium caps it at this value
  });
}

/**
 * Sets headers against MIME sniffing, framing and referrer leaks. The page's `<meta>` sets its Content-Security-Policy, except
 * `frame-ancestors`, which only a header can set. Scripts get their own policy (shared/content-security-policy.ts).
 * Strict-Transport-Security is left to the proxy that terminates TLS.
 */
export function securityHeaders(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: { frameAncestors: ["'self'"] },
    strictTransportSecurity: false,
    overwrite: false,
  });
}
