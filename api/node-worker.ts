import { parentPort } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { openNodeModel } from "../shared/encoder/sessions/node.ts";
import { exposeEncoder } from "../shared/encoder/worker.ts";
import type { ModelSource } from "./encoder.ts";

if (!parentPort) throw new Error("node-worker.js is the entry of a worker thread: see encoder.js");

exposeEncoder<ModelSource>((source) => {
  if ("directory" in source) return openNodeModel(source.directory);
  // transformers.js costs 200 ms and 45 MB a worker: only who uses a hub model pays for it.
  return async (options) => {
    const { openHubModel } = await import("../shared/encoder/sessions/hub.ts");
    return openHubModel(source.hub)(options);
  };
}, nodeEndpoint(parentPort));
