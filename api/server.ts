import { existsSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { EncoderError } from "../shared/errors.ts";
import { createApp, defaultConfig } from "./app.ts";
import { createEncoder, type NodeEncoderOptions } from "./encoder.ts";
import { respondWithError } from "./errors.ts";

export interface ServerOptions extends NodeEncoderOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface RunningServer {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  /** Resolves when the model is loaded; rejects as `Encoder.load` does. The server answers before and after. */
  readonly ready: Promise<unknown>;
  close(): Promise<void>;
}

/** The built page, seen from `dist/api`. */
const page = fileURLToPath(new URL("../web", import.meta.url));

/** Serves the API and the page; resolves once it answers. Rejects when the address cannot be had. */
export async function startServer({ host, port, ...encoderOptions }: ServerOptions): Promise<RunningServer> {
  const encoder = createEncoder(encoderOptions);
  const app = createApp({ encoder, config: defaultConfig });
  if (existsSync(page)) app.get("*", serveStatic({ root: page }));
  app.notFound((c) => respondWithError(c, new EncoderError("not_found", `There is no ${c.req.path} here`)));

  const server = await new Promise<Server>((resolve, reject) => {
    const listening = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(listening)) as Server;
    listening.once("error", reject);
  });
  const ready = encoder.load();
  ready.catch(() => {});
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    ready,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await Promise.all([closed, encoder.dispose()]);
    },
  };
}
