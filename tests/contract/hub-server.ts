import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** As the hub says it to pages of any origin. */
const forPages = { "access-control-allow-origin": "*", "access-control-expose-headers": "x-error-code, x-repo-commit, content-range" };

/** The commits that the revisions stand for. */
export const commits = { main: "1".repeat(40), v2: "2".repeat(40) } as const;

/** What is served in place of a file: other bytes, none (`missing`), half of it and then a cut or silence, zeros without end and without a length, or a status. */
export type Served = Buffer | "missing" | "cut" | "stalled" | "endless" | number;

/** A local server that speaks the Hugging Face hub's URLs for one model, of one revision besides `main`. */
export class HubServer {
  readonly id: string;
  /** Its address; kept when it is closed. */
  endpoint = "";
  /** Paths asked for, in order, without the redirects' targets. */
  readonly requests: string[] = [];
  /** By file name, for all requests until it is taken out again. */
  readonly served = new Map<string, Served>();
  /** The commit that `main` stands for. */
  main: string = commits.main;
  readonly #directory: string;
  readonly #server = createServer((request, response) => {
    this.#answer(new URL(request.url ?? "/", "http://hub").pathname, response).catch((error) => response.destroy(error));
  });

  private constructor(id: string, directory: string) {
    this.id = id;
    this.#directory = directory;
  }

  static async start(id: string, directory: string): Promise<HubServer> {
    const server = new HubServer(id, directory);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    server.endpoint = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  /** Files asked for, in order. */
  get files(): string[] {
    return this.requests.map((path) => path.replace(/^.*\/resolve\/[^/]+\//, ""));
  }

  async serveJson(name: string, change: (json: never) => unknown): Promise<void> {
    const json = JSON.parse(await readFile(join(this.#directory, name), "utf8")) as never;
    this.served.set(name, Buffer.from(JSON.stringify(change(json))));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    const large = path.startsWith("/large-files/");
    if (!large) this.requests.push(path);
    const [, id, revision, name = ""] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path.replace("/large-files", "")) ?? [];
    // As the hub answers those who did not sign in.
    if (id !== this.id) return refuse(response, 401, "RepoNotFound");
    const commit = revision === "main" ? this.main : revision === "v2" ? commits.v2 : revision;
    if (!commit || !/^\d{40}$/.test(commit)) return refuse(response, 404, "RevisionNotFound");
    const instead = this.served.get(name);
    if (typeof instead === "number") return refuse(response, instead);
    const bytes = Buffer.isBuffer(instead) ? instead : await readFile(join(this.#directory, name)).catch(() => null);
    if (!bytes || instead === "missing") return refuse(response, 404, "EntryNotFound");
    if (name.endsWith(".onnx") && !large) {
      response.writeHead(302, { ...forPages, "x-repo-commit": commit, location: `/large-files${path}` }).end();
      return;
    }
    // Large files come from elsewhere, which knows nothing of commits.
    const headers = { ...forPages, ...(!large && { "x-repo-commit": commit }) };
    if (instead === "endless") {
      response.writeHead(200, headers);
      const zeros = Buffer.alloc(64 * 1024);
      const send = () => {
        while (!response.destroyed && response.write(zeros));
      };
      response.on("drain", send);
      send();
      return;
    }
    response.writeHead(200, { ...headers, "content-length": bytes.length });
    if (instead !== "cut" && instead !== "stalled") {
      response.end(bytes);
      return;
    }
    response.write(bytes.subarray(0, bytes.length / 2), () => {
      if (instead === "cut") response.destroy();
    });
  }
}

function refuse(response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, { ...forPages, ...(code !== undefined && { "x-error-code": code }) }).end("no");
}
