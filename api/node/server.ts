import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Context } from "hono";
import { compress } from "hono/compress";
import { scriptPolicy } from "../../shared/content-security-policy.ts";
import { createApp } from "../app.ts";
import { type Observer, observeAll } from "../observer.ts";
import type { AppConfig } from "../service.ts";
import { type ConnectionLimits, limitConnections, serverOptions } from "./connections.ts";
import { isLoopback, namesOf } from "./host-names.ts";
import { IndexSearch } from "./index-search.ts";
import { createMetrics } from "./metrics.ts";
import { OpenRequests } from "./open-requests.ts";
import { createServiceEncoder, type ServiceEncoderOptions } from "./service-encoder.ts";

export interface ServerOptions extends Omit<ServiceEncoderOptions, "requestTimeout"> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** See `Settings`. */
  readonly allowedHosts: readonly string[];
  readonly connections: ConnectionLimits;
  readonly config: AppConfig;
  /** Path of an index file for `POST /search`. */
  readonly index?: string;
  /** Told of everything beside the metrics: the log. */
  readonly observer?: Observer;
}

export interface RunningServer {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  /** Resolves when the model is loaded; rejects as `Encoder.load` does. The server answers before and after. */
  readonly ready: Promise<unknown>;
  /** Resolves when the index file is loaded; rejects with `index_unavailable`. Null without an index file. */
  readonly indexReady: Promise<void> | null;
  /**
   * Takes no connection any more, answers the requests that are there, within `shutdownTimeout`, and frees the model. Ends
   * 2 s after that time at the latest, whatever clients and workers do.
   * Gives how many requests could not be computed in that time: they were answered with 503.
   */
  close(): Promise<number>;
}

/** For the answers of those whose time was up, in ms. */
const lastWords = 1_000;

/** The built page, seen from `dist/api/node`. */
const page = fileURLToPath(new URL("../../web", import.meta.url));

const sendScriptPolicy = (path: string, c: Context) => {
  if (path.endsWith(".js")) c.header("content-security-policy", scriptPolicy);
};

/** The folder of `models`, which the npm package has once: for the page and for Node. */
const packageFolder = fileURLToPath(new URL("../../..", import.meta.url));

/** Serves the API and the page; resolves once it answers. Rejects when the address cannot be had. */
export async function startServer({
  host,
  port,
  allowedHosts,
  connections,
  config,
  index,
  observer = {},
  ...options
}: ServerOptions): Promise<RunningServer> {
  const metrics = createMetrics(() => ({
    workers: encoder.info().workers,
    device: encoder.info().device,
    queuedTexts: encoder.info().pending.texts,
    queuedTokens: encoder.info().pending.tokens,
    cacheBytes: encoder.bytes,
    connections: open,
  }));
  const observers = observeAll([metrics.observer, observer]);
  const encoder = createServiceEncoder({ ...options, requestTimeout: config.requestTimeout, observer: observers });
  const search = index === undefined ? null : new IndexSearch({ path: index, encoder });
  const app = createApp({
    encoder,
    config,
    ...((isLoopback(host) || allowedHosts.length > 0) && { allowedHosts: namesOf(host, allowedHosts) }),
    ...(search && { search }),
    observer: observers,
    metrics: () => metrics.exposition(),
  });
  if (existsSync(page)) {
    app.get("/models/bge-small-en-v1.5/*", serveStatic({ root: packageFolder }));
    // Scripts, styles and documents. Model and runtimes are as small as they get.
    app.get("*", compress(), serveStatic({ root: page, onFound: sendScriptPolicy }));
  }

  const server = createAdaptorServer({ fetch: app.fetch, hostname: host, serverOptions: serverOptions(connections) }) as Server;
  const open = limitConnections(server, connections);
  const openRequests = new OpenRequests(server);
  server.listen(port, host);
  await once(server, "listening");
  const ready = encoder.load();
  ready.catch(() => {});
  const indexReady = search?.load() ?? null;
  indexReady?.catch(() => {});
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    ready,
    indexReady,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await openRequests.end(options.shutdownTimeout);
      const { size: left } = openRequests;
      await Promise.all([encoder.dispose(), search?.close(), openRequests.end(lastWords)]);
      // Connections of clients that send or read too slowly, and idle ones: a browser opens some in advance.
      server.closeAllConnections();
      await closed;
      return left;
    },
  };
}
