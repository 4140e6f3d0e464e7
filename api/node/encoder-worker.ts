import { constants, setPriority } from "node:os";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { exposeEncoder } from "../../shared/encoder/worker.ts";
import type { PreparedModel } from "./encoder.ts";
import { yieldingArgument } from "./encoder-process.ts";
import { openNodeModel } from "./node-model.ts";

const send = process.send?.bind(process);
if (!send) throw new Error("encoder-worker.js is the entry of a worker process: see encoder-process.js");

// Signals that a terminal or a supervisor sends to a whole group are the parent's: it ends its workers when their work is done.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.once("disconnect", () => process.exit());

// With three workers on two cores a query that is computed beside bulk texts takes 1.7 times as long as alone, and no longer
// than alone when those yield.
if (process.argv.includes(yieldingArgument)) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

exposeEncoder<PreparedModel>(
  (source) => {
    if ("directory" in source) return openNodeModel(source);
    return async () => {
      // transformers.js costs 200 ms and 45 MB a worker: only workers of hub models load it.
      const { openHubModel } = await import("./hub-model.ts");
      return openHubModel(source.hub, source)();
    };
  },
  nodeEndpoint({
    postMessage: (message) => void send(message),
    on: (event, listener) => process.on(event, listener),
    off: (event, listener) => process.off(event, listener),
  }),
);
