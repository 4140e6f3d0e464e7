import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Stands before a server of this machine and counts what it sends, whoever asks: pages, their workers, service workers. */
export class CountingProxy implements AsyncDisposable {
  /** A URL without a slash at the end. */
  readonly origin: string;
  #bytes = 0;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param target a URL of the server */
  static async before(target: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(target);
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        // A browser that is closed resets its connections: the other end goes with it.
        socket.on("error", () => {});
        socket.once("close", () => (socket === client ? upstream : client).destroy());
      }
      upstream.on("data", (chunk) => {
        proxy.#bytes += chunk.length;
      });
      client.pipe(upstream).pipe(client);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new CountingProxy(server, sockets);
    return proxy;
  }

  /** Bytes that the server has sent, headers included, since this was last asked. */
  take(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
