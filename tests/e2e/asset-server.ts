import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const encoderPage = fileURLToPath(new URL("../../dist/e2e/encoder-page", import.meta.url));

const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json" };

/** Serves the files of a folder to pages of any origin, by ranges too, and cuts connections where a test wants it. */
export class AssetServer {
  /** Path and range of each request, in order. */
  readonly asked: string[] = [];
  /** After how many bytes of its answer a request's connection is cut; null for never. */
  cutAfter: (path: string, request: number) => number | null = () => null;
  givesRanges = true;
  /** With which status a request is refused; null for none. */
  refuseWith: (path: string, request: number) => number | null = () => null;
  readonly #server: Server;

  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(root = encoderPage): Promise<AssetServer> {
    const server = new AssetServer(root);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Requests for a file, by their ranges. */
  rangesOf(name: string): string[] {
    return this.asked.filter((line) => line.split(" ")[0]?.endsWith(`/${name}`)).map((line) => line.split(" ")[1] ?? "");
  }

  async #answer({ url = "/", headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(url, "http://localhost").pathname;
    const file = join(this.#root, path.endsWith("/") ? `${path}index.html` : path);
    const size = (await stat(file).catch(() => null))?.size;
    if (size === undefined) return void response.writeHead(404).end();
    const [, from] = /^bytes=(\d+)-$/.exec((this.givesRanges && headers.range) || "") ?? [];
    const start = Number(from ?? 0);
    this.asked.push(`${path} ${headers.range ?? "whole"}`);
    const request = this.rangesOf(path.slice(path.lastIndexOf("/") + 1)).length;
    const refusal = this.refuseWith(path, request);
    if (refusal !== null) return void response.writeHead(refusal, { "access-control-allow-origin": "*" }).end();
    const cut = this.cutAfter(path, request);
    response.writeHead(from ? 206 : 200, {
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "content-range",
      "content-type": types[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream",
      "content-length": size - start,
      ...(from && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
    });
    const body = createReadStream(file, { start, ...(cut !== null && { end: start + cut - 1 }) });
    body.on("data", (chunk) => response.write(chunk));
    body.on("end", () => {
      if (cut === null) response.end();
      // Late enough for what was written to have come.
      else setTimeout(() => response.destroy(), 300);
    });
  }
}
