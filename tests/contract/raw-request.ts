import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The `code` of an error, in either of the API's forms. */
  readonly code: string | undefined;
}

/** Sends a request with exactly these headers, which `fetch` does not: it names a host and a content type itself. */
export async function ask(
  url: string,
  { method = "GET", headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  const sent = request(url, { method, headers, agent: false });
  sent.end(body);
  const [response] = await once(sent, "response");
  const received = await text(response);
  return { status: response.statusCode, headers: response.headers, body: received, code: codeOf(received) };
}

/** As JSON. */
export const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });

function codeOf(body: string): string | undefined {
  if (!body.startsWith("{")) return undefined;
  const { code, error } = JSON.parse(body) as { code?: string; error?: { code?: string } };
  return code ?? error?.code;
}

/** A connection on which bytes are sent as they are. */
export class RawConnection {
  readonly socket: Socket;
  readonly #host: string;
  #received = "";

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.socket = connect(Number(port), hostname);
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
    });
  }

  get received(): string {
    return this.#received;
  }

  /** Whether the other end has closed it. */
  get closed(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  /** The status of the first answer, `closed`, or null while there is neither. */
  get outcome(): number | "closed" | null {
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(this.#received) ?? [];
    if (status !== undefined) return Number(status);
    return this.closed ? "closed" : null;
  }

  sendHead(method: string, path: string, headers: Record<string, string> = {}): void {
    const lines = Object.entries({ host: this.#host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  }

  /** Sends a byte every so many ms until it is closed or all are sent. */
  async trickle(bytes: string, interval: number): Promise<void> {
    for (const byte of bytes) {
      if (this.closed) return;
      this.socket.write(byte);
      await wait(interval);
    }
  }

  /** Asks for `/health` and resolves with whether that was answered with 200. */
  async answersHealth(): Promise<boolean> {
    this.#received = "";
    this.sendHead("GET", "/health");
    for (let tries = 0; tries < 100 && this.outcome === null; tries++) await wait(20);
    return this.outcome === 200;
  }

  close(): void {
    this.socket.destroy();
  }
}
