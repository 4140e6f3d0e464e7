import type { MiddlewareHandler } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { EncoderError } from "../../shared/errors.ts";

/** Matches a bearer token. The scheme is case-insensitive (RFC 9110, 11.1). */
const bearer = /^Bearer +(\S+) *$/i;

/**
 * Requires one of `keys` as `Authorization: Bearer <key>` and throws `invalid_api_key` otherwise. It compares all keys in constant time,
 * even after a match, so that the response time reveals nothing about them. Sets `c.var.apiKey` to the index of the key in `keys`.
 */
export function requireApiKey(keys: readonly string[]): MiddlewareHandler {
  return async function requireApiKey(c, next) {
    const [, presented = ""] = bearer.exec(c.req.header("authorization") ?? "") ?? [];
    const matches = await Promise.all(keys.map((key) => timingSafeEqual(key, presented)));
    if (!matches.includes(true)) {
      c.header("www-authenticate", 'Bearer realm="samevec"');
      throw new EncoderError(
        "invalid_api_key",
        presented ? "The API key is invalid" : "An API key is required: Authorization: Bearer <key>",
      );
    }
    c.set("apiKey", matches.indexOf(true));
    await next();
  };
}
