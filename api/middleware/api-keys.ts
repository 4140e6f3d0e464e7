import type { MiddlewareHandler } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { EncoderError } from "../../shared/errors.ts";

/** The key of an Authorization header; schemes are case-insensitive (RFC 9110, 11.1). */
const bearer = /^Bearer +(\S+) *$/i;

/**
 * Lets pass only who brings one of `keys` as `Authorization: Bearer …`; throws `invalid_api_key` at others. Each key is
 * compared, in constant time, also after one has matched: how long it takes tells nothing of which, nor how nearly.
 * What comes after it finds the key's place among `keys` as `c.get("apiKey")`.
 */
export function requireApiKey(keys: readonly string[]): MiddlewareHandler {
  return async function requireApiKey(c, next) {
    const [, presented = ""] = bearer.exec(c.req.header("authorization") ?? "") ?? [];
    const matches = await Promise.all(keys.map((key) => timingSafeEqual(key, presented)));
    if (!matches.includes(true)) {
      c.header("www-authenticate", 'Bearer realm="samevec"');
      throw new EncoderError(
        "invalid_api_key",
        presented ? "The API key is not one of this service's" : "An API key is needed: Authorization: Bearer <key>",
      );
    }
    c.set("apiKey", matches.indexOf(true));
    await next();
  };
}
