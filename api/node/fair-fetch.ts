import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { withTimeout } from "../../shared/async.ts";

interface Environment {
  readonly incoming: IncomingMessage | Http2ServerRequest;
}

type Fetch = (request: Request, environment: Environment) => Response | Promise<Response>;

/** Maximum ms in which the rest of a refused body is read. */
const drainTimeout = 5_000;

/**
 * Wraps the application's `fetch` for Node.js.
 *
 * At most one POST request starts per turn of the event loop. Node.js otherwise handles all requests that have arrived before it looks for
 * others: behind a burst of a few hundred, `/health` would wait for a tenth of a second.
 *
 * A refused body on a connection that the client wants closed is read to its end first: closing a connection with unread data resets it,
 * and the client would lose the answer.
 */
export function fairFetch(fetch: Fetch): Fetch {
  let turn: Promise<unknown> = Promise.resolve();
  return (request, environment) => {
    if (request.method !== "POST") return fetch(request, environment);
    const started = turn.then(() => setImmediate());
    turn = started;
    return started.then(async () => {
      const response = await fetch(request, environment);
      const { incoming } = environment;
      const isClosing = /\bclose\b/i.test(incoming.headers.connection ?? "");
      if (response.status >= 400 && isClosing && !incoming.complete) await drain(incoming);
      return response;
    });
  };
}

async function drain(incoming: Environment["incoming"]): Promise<void> {
  const ended = new Promise<void>((resolve) => incoming.once("close", resolve).once("end", resolve));
  incoming.resume();
  await withTimeout(ended, drainTimeout, () => null).catch(() => {});
}
