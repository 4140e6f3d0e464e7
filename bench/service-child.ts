/** The process of the service: the real server, with a watch on the event loop that answers its requests. */

import { startServer } from "../api/node/server.ts";
import { readSettings } from "../api/node/settings.ts";
import { watchEventLoop } from "./loop-delay.ts";
import { peakMemory } from "./peak-memory.ts";
import type { LoopDelay } from "./results.ts";

export type ServiceMessage =
  /** Starts the server, and the first watch with it. */
  | { readonly do: "start"; readonly workers: number }
  /** Answers once the model is loaded. */
  | { readonly do: "load" }
  /** Ends a watch and begins the next. */
  | { readonly do: "report" };

export interface ServiceReport {
  readonly loopDelay: LoopDelay;
  readonly peakBytes: number;
  /** The resident set, now. */
  readonly rssBytes: number;
}

let ready: Promise<unknown> = Promise.reject(new Error("The server was not started"));
ready.catch(() => {});
let stopWatching = watchEventLoop();

// The server would keep it alive when whoever asked is gone.
process.once("disconnect", () => process.exit());
process.on("message", async (message: ServiceMessage) => {
  const answer = await answerTo(message);
  process.send?.(answer);
});

async function answerTo(message: ServiceMessage): Promise<object> {
  switch (message.do) {
    case "start": {
      const server = await startServer(readSettings({ PORT: "0", WORKERS: String(message.workers) }));
      ready = server.ready;
      return { url: server.url };
    }
    case "load":
      await ready;
      return {};
    case "report": {
      const loopDelay = await stopWatching();
      stopWatching = watchEventLoop();
      return { loopDelay, peakBytes: peakMemory(), rssBytes: process.memoryUsage.rss() } satisfies ServiceReport;
    }
  }
}
