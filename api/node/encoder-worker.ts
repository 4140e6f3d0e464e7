import { constants, setPriority } from "node:os";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { exposeEncoder } from "../../shared/encoder/worker.ts";
import type { PreparedModel } from "./encoder.ts";
import { yieldingArgument } from "./encoder-process.ts";
import { openNodeModel } from "./node-model.ts";

const send = process.send?.bind(process);
if (!send) throw new Error("encoder-worker.js must run as a child process (encoder-process.js)");

// Terminals and supervisors signal the whole process group. The parent handles signals and ends its workers after their work.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.once("disconnect", () => process.exit());

// With three workers on two cores, bulk texts at equal priority slow a query down by a factor of 1.7. At lower priority they do not.
if (process.argv.includes(yieldingArgument)) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

exposeEncoder<PreparedModel>(
  (source) => {
    if ("directory" in source) return openNodeModel(source);
    return async () => {
      // transformers.js takes 200 ms and 45 MB per worker: only workers of hub models import it.
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
