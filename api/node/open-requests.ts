import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { withTimeout } from "../../shared/async.ts";

/** Tracks the requests of a server whose responses are not complete. */
export class OpenRequests {
  readonly #responses = new Set<ServerResponse>();
  #ending = false;
  #onNoneLeft = () => {};

  /** @param server before its first request */
  constructor(server: Server) {
    // First listener: the connection header must be set before a response starts.
    server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) => {
      this.#responses.add(response);
      if (this.#ending) closeConnectionAfter(response);
      response.once("close", () => {
        this.#responses.delete(response);
        if (this.#responses.size === 0) this.#onNoneLeft();
      });
    });
  }

  get size(): number {
    return this.#responses.size;
  }

  /** Closes each connection after its current response. Resolves when no request is open, or after `timeout` ms. */
  async end(timeout: number): Promise<void> {
    this.#ending = true;
    for (const response of this.#responses) closeConnectionAfter(response);
    if (this.#responses.size === 0) return;
    const noneLeft = new Promise<void>((resolve) => {
      this.#onNoneLeft = resolve;
    });
    await withTimeout(noneLeft, timeout, () => null).catch(() => {});
  }
}

/** When a server closes, Node.js closes idle connections, but not those that become idle later. */
function closeConnectionAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
