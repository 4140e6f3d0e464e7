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
import { fairFetch } from "./fair-fetch.ts";
import { isLoopback, namesOf } from "./host-names.ts";
import { IndexSearch } from "./index-search.ts";
import { createMetrics } from "./metrics.ts";
import { OpenRequests } from "./open-requests.ts";
import { createServiceEncoder, type ServiceEncoderOptions } from "./service-encoder.ts";

export interface ServerOptions extends Omit<ServiceEncoderOptions, "requestTimeout"> {
  readonly host: string;
  /** TCP port; 0 selects a free port. */
  readonly port: number;
  /** Additional accepted host names in lower case. Empty: loopback names on a loopback address, otherwise all. */
  readonly allowedHosts: readonly string[];
  readonly connections: ConnectionLimits;
  readonly config: AppConfig;
  /** Path of an index file for `POST /search`. */
  readonly index?: string;
  /** Receives all events, in addition to the metrics. */
  readonly observer?: Observer;
}

export interface RunningServer {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** Resolves when the model is loaded; rejects with the errors of `Encoder.load`. The server accepts requests in any case. */
  readonly ready: Promise<unknown>;
  /** Resolves when the index file is loaded; rejects with `index_unavailable`. Null without an index file. */
  readonly indexReady: Promise<void> | null;
  /**
   * Stops accepting connections, completes pending requests within `shutdownTimeout` ms and disposes the encoder. Takes at most 2 s longer.
   * @returns the number of requests that did not complete and got 503
   */
  close(): Promise<number>;
}

/** Maximum ms to send 503 to requests that did not complete. */
const rejectionTimeout = 1_000;

/** Folder of the built page, relative to `dist/api/node`. */
const page = fileURLToPath(new URL("../../web", import.meta.url));

const sendScriptPolicy = (path: string, c: Context) => {
  if (path.endsWith(".js")) c.header("content-security-policy", scriptPolicy);
};

/** Folder that contains `models`. The npm package has one copy for the page and for Node.js. */
const packageFolder = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Starts the HTTP server of the API and the page. Resolves when it accepts requests. Rejects with Node.js's error when it cannot listen on
 * the address.
 * @example
 * const server = await startServer(readSettings({ ...process.env, PORT: "0" }));
 * const response = await fetch(`${server.url}/health`);
 * await server.close();
 */
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
    // Compresses scripts, styles and documents. Model and runtimes do not compress further.
    app.get("*", compress(), serveStatic({ root: page, onFound: sendScriptPolicy }));
  }

  const server = createAdaptorServer({
    fetch: fairFetch(app.fetch),
    hostname: host,
    serverOptions: serverOptions(connections),
    // Node.js itself reads the rest of a refused body, until BODY_TIMEOUT: the client gets its answer instead of a reset.
    autoCleanupIncoming: false,
  }) as Server;
  const open = limitConnections(server, connections);
  const openRequests = new OpenRequests(server);
  server.listen(port, host);
  await once(server, "listening");
  const ready = encoder.load();
  ready.catch(() => {});
  const indexReady = search?.load() ?? null;
  indexReady?.catch(() => {});
  const { address, family, port: actualPort } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${actualPort}`,
    ready,
    indexReady,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await openRequests.end(options.shutdownTimeout);
      const { size: left } = openRequests;
      await Promise.all([encoder.dispose(), search?.close(), openRequests.end(rejectionTimeout)]);
      // Closes connections of slow clients, and idle ones, such as those that browsers open in advance.
      server.closeAllConnections();
      await closed;
      return left;
    },
  };
}
