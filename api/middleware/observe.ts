import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { EncoderError } from "../../shared/errors.ts";
import type { AnsweredRequest, Observer } from "../observer.ts";

/** The status that nginx logs when the client closes the connection before the response. */
const clientClosedRequest = 499;

/** Reports each answered request to `observer`. Must be the first middleware after `requestId`. */
export function observe(observer: Observer): MiddlewareHandler {
  return async function observe(c, next) {
    const arrived = performance.now();
    await next();
    const { error } = c;
    const gone = c.req.raw.signal.aborted;
    const work = c.get("work");
    const request: AnsweredRequest = {
      id: c.get("requestId"),
      method: c.req.method,
      route: routeOf(c),
      status: gone ? clientClosedRequest : c.res.status,
      ms: performance.now() - arrived,
      ...(work && { work }),
      ...(error instanceof EncoderError && { code: error.code }),
    };
    observer.onRequest?.(request);
    if (error && !(error instanceof EncoderError) && !gone) observer.onFault?.(request, error);
  };
}

/** The pattern of the matched route; `*` for the page and for unknown paths. */
function routeOf(c: Context): string {
  const route = matchedRoutes(c).findLast(({ path }) => !path.includes("*"));
  return route?.path ?? "*";
}
