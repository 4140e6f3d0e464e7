import type { MiddlewareHandler } from "hono";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Sets `c.var.signal`, which aborts with `timeout` after `timeout` ms and when the client disconnects. Handlers pass the signal to every
 * asynchronous call. The time includes model loading, which continues after the deadline.
 */
export function deadline(timeout: number): MiddlewareHandler {
  return async function deadline(c, next) {
    const controller = new AbortController();
    const client = c.req.raw.signal;
    // AbortSignal.any() and AbortSignal.timeout() would leave timers and listeners behind after the request.
    const onDisconnect = () => controller.abort(client.reason);
    if (client.aborted) onDisconnect();
    client.addEventListener("abort", onDisconnect);
    const timer = setTimeout(() => {
      controller.abort(new EncoderError("timeout", `The request was not answered within ${timeout} ms`, { limit: timeout }));
    }, timeout);
    c.set("signal", controller.signal);
    try {
      await next();
    } finally {
      clearTimeout(timer);
      client.removeEventListener("abort", onDisconnect);
    }
  };
}

declare module "hono" {
  interface ContextVariableMap {
    signal: AbortSignal;
  }
}
