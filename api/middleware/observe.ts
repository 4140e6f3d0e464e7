import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { EncoderError } from "../../shared/errors.ts";
import type { AnsweredRequest, Observer } from "../observer.ts";

/** What nginx logs where the client was gone before the answer. */
const clientClosedRequest = 499;

/** Tells `observer` of each request once it is answered. Stands before all others but `requestId`, whose id it names. */
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

/** The pattern of the route that the request was for; `*` for the page and for what is not there. */
function routeOf(c: Context): string {
  const route = matchedRoutes(c).findLast(({ path }) => !path.includes("*"));
  return route?.path ?? "*";
}
