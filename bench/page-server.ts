import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { build } from "vite";
import type { PageModel } from "./bench-page.ts";
import type { PeerModel } from "./contenders/contender.ts";

const pageConfig = fileURLToPath(new URL("../../bench/page/vite.config.ts", import.meta.url));
const builtPage = fileURLToPath(new URL("page", import.meta.url));
const peerPath = "/peer/";

/** The benchmark's page, built and served on a free port of this machine alone. */
export class PageServer implements AsyncDisposable {
  readonly url: string;
  /** The peers' model, as the page gets at it. */
  readonly model: PageModel;
  readonly #server: ReturnType<typeof createAdaptorServer>;

  private constructor(server: ReturnType<typeof createAdaptorServer>, model: PageModel) {
    this.#server = server;
    this.model = model;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  static async start(peer: PeerModel): Promise<PageServer> {
    await build({ configFile: pageConfig, logLevel: "warn" });
    await compressAssets();
    const app = new Hono();
    if ("directory" in peer) {
      const root = dirname(resolve(peer.directory));
      app.get(`${peerPath}*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(peerPath.length - 1) }));
    }
    app.get("*", serveStatic({ root: builtPage, precompressed: true }));
    const server = createAdaptorServer({ fetch: app.fetch });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const model = "hub" in peer ? { name: peer.hub, served: null } : { name: basename(resolve(peer.directory)), served: peerPath };
    return new PageServer(server, model);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

/** Scripts and the peers' runtime go gzipped, as from a content network. Our own runtimes are compressed as they are. */
async function compressAssets(): Promise<void> {
  const folder = join(builtPage, "assets");
  for (const name of await readdir(folder)) {
    await pipeline(createReadStream(join(folder, name)), createGzip(), createWriteStream(join(folder, `${name}.gz`)));
  }
}
