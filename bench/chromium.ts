/** Chromium, and servers for its pages. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { type Browser, type BrowserContext, chromium } from "playwright";
import { findBrowser, launchOptions } from "../tests/e2e/browser.ts";

export function launchChromium(): Promise<Browser> {
  return chromium.launch(launchOptions(findBrowser()));
}

/** A browser profile. Each visit starts a new browser with the same storage. */
export async function withProfile<Result>(
  serviceWorkers: "allow" | "block",
  use: (visit: <Seen>(task: (context: BrowserContext) => Promise<Seen>) => Promise<Seen>) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "samevec-profile-"));
  try {
    return await use(async (task) => {
      const context = await chromium.launchPersistentContext(directory, { ...launchOptions(findBrowser()), serviceWorkers });
      try {
        return await task(context);
      } finally {
        await context.close();
      }
    });
  } finally {
    // A closed browser may still write for a short time.
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export interface LocalServer extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string;
}

/** Serves an app on a free local port. */
export function serveLocally(app: Hono): Promise<LocalServer> {
  return listening(createAdaptorServer({ fetch: app.fetch }) as Server);
}

/** A proxy that counts the bytes sent by a local server, to pages, workers and service workers. */
export async function countingProxy(target: string): Promise<LocalServer & { takeBytes(): number }> {
  const { hostname, port } = new URL(target);
  let bytes = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    upstream.on("data", (chunk) => {
      bytes += chunk.length;
    });
    // A closing browser resets its connections, which is not an error.
    pipeline(client, upstream, () => {});
    pipeline(upstream, client, () => {});
  });
  /** Bytes since the last call, headers included. */
  const takeBytes = () => {
    const taken = bytes;
    bytes = 0;
    return taken;
  };
  return { ...(await listening(server)), takeBytes };
}

async function listening(server: Server): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
