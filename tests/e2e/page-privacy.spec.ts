import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";
import { WranglerDev } from "../contract/wrangler-dev.ts";
import { choose, openReady, yourDocuments } from "./visitor.ts";

/** Of another origin, which answers whoever asks. */
let elsewhere: Server;
let address: string;
/** What it was asked for: a connection is enough. */
const asked: string[] = [];

test.beforeAll(async () => {
  elsewhere = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.setHeader("access-control-allow-origin", "*").setHeader("content-type", "text/javascript").end("export default 1;");
  });
  elsewhere.on("upgrade", (request, socket) => {
    asked.push(request.url ?? "");
    socket.destroy();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
});
test.afterAll(() => elsewhere.close());

/** Tries, from inside each worker of the page, whatever could carry a text away or make code of it. */
async function escapes(page: Page): Promise<{ worker: string; escaped: string[] }[]> {
  return Promise.all(
    page.workers().map(async (worker) => ({
      worker: new URL(worker.url()).pathname.replace(/^.*\/([a-z-]+)-[\w-]{8}\.js$/, "$1"),
      escaped: await worker.evaluate(async (address) => {
        const escaped: string[] = [];
        const attempt = async (way: string, action: () => unknown) => {
          try {
            await action();
            escaped.push(way);
          } catch {}
        };
        await attempt("fetch", () => fetch(`http://${address}/fetch`));
        await attempt("WebSocket", () => {
          const socket = new WebSocket(`ws://${address}/socket`);
          return new Promise((resolve, reject) => {
            socket.onopen = resolve;
            socket.onerror = reject;
          });
        });
        await attempt("import", () => import(`http://${address}/import.js`));
        await attempt("new Function", () => new Function("return 1")());
        return escaped;
      }, address),
    })),
  );
}

for (const [host, start] of [
  ["Node", () => ServerProcess.start({ WORKERS: "1" })],
  ["the edge", () => WranglerDev.start()],
] as const) {
  test(`no worker of the page can reach another origin or compile code from text, served by ${host}`, async ({ page }) => {
    const server = await start();
    try {
      await openReady(page, server.url);
      await choose(page, { "note.txt": "A note that stays here." });
      await expect(yourDocuments(page)).toContainText("1 passage");
      asked.length = 0;
      const tried = await escapes(page);
      expect(tried.map(({ worker }) => worker)).toEqual(expect.arrayContaining(["search-worker", "encoder-worker", "reading-worker"]));
      expect(tried.filter(({ escaped }) => escaped.length > 0)).toEqual([]);
      expect(asked).toEqual([]);
    } finally {
      // wrangler waits for connections that are open.
      await page.close();
      await server.stop();
    }
  });
}
