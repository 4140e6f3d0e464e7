import { createReadStream, createWriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { build } from "vite";
import { type LocalServer, serveLocally } from "./chromium.ts";
import type { PageModel } from "./page-protocol.ts";
import type { PeerModel } from "./peers/peer-model.ts";

const pageConfig = fileURLToPath(new URL("../../bench/page/vite.config.ts", import.meta.url));
const builtPage = fileURLToPath(new URL("page", import.meta.url));
const peerPath = "/peer/";
export const filesPath = "/files/";

/**
 * Builds and serves the benchmark's page, and the peers' model if it is a folder.
 * @param folder whose files are served below /files/
 */
export async function servePage(peer: PeerModel, folder?: string): Promise<LocalServer & { readonly model: PageModel }> {
  await build({ configFile: pageConfig, logLevel: "warn" });
  await compressAssets();
  const app = new Hono();
  if ("directory" in peer) {
    const root = dirname(resolve(peer.directory));
    app.get(`${peerPath}*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(peerPath.length - 1) }));
  }
  if (folder !== undefined) {
    app.get(`${filesPath}*`, serveStatic({ root: folder, rewriteRequestPath: (path) => path.slice(filesPath.length - 1) }));
  }
  app.get("*", serveStatic({ root: builtPage, precompressed: true }));
  const model = "hub" in peer ? { name: peer.hub, served: null } : { name: basename(resolve(peer.directory)), served: peerPath };
  return { ...(await serveLocally(app)), model };
}

/** Compresses scripts and the peers' runtime with gzip, as a CDN does. The engine's files are already compressed. */
async function compressAssets(): Promise<void> {
  const folder = join(builtPage, "assets");
  for (const name of await readdir(folder)) {
    await pipeline(createReadStream(join(folder, name)), createGzip(), createWriteStream(join(folder, `${name}.gz`)));
  }
}
