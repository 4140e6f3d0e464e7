import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** The requests of a server that have not been answered to the end. */
export class OpenRequests {
  readonly #responses = new Set<ServerResponse>();
  #ending = false;
  #onNoneLeft = () => {};

  /** @param server one that has not had a request yet */
  constructor(server: Server) {
    // Before whoever answers: nothing must have been sent when the header is set.
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

  /** From now on each answer is the last one on its connection. Resolves when none is left, or after `timeout` ms. */
  async end(timeout: number): Promise<void> {
    this.#ending = true;
    for (const response of this.#responses) closeConnectionAfter(response);
    if (this.#responses.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onNoneLeft = resolve;
      timer = setTimeout(resolve, timeout);
    });
    clearTimeout(timer);
  }
}

/** Node closes idle connections when a server ends, but leaves those that fall idle later to their timeout. */
function closeConnectionAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
