import { parentPort, workerData } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { OpenModel } from "../shared/encoder/encoder.ts";
import { openNodeModel } from "../shared/encoder/sessions/node.ts";
import { exposeEncoder } from "../shared/encoder/worker.ts";
import type { ModelSource, StopMessage } from "./encoder.ts";
import { NativeGate } from "./native-gate.ts";

if (!parentPort) throw new Error("node-worker.js is the entry of a worker thread: see encoder.js");
const gate = new NativeGate(workerData);

exposeEncoder<ModelSource>((source) => {
  if ("directory" in source) return gated(openNodeModel(source.directory));
  return gated(async (options) => {
    // transformers.js costs 200 ms and 45 MB a worker: only who uses a hub model pays for it.
    const { openHubModel } = await import("../shared/encoder/sessions/hub.ts");
    return openHubModel(source.hub, source)(options);
  });
}, nodeEndpoint(parentPort));

parentPort.on("message", (message: unknown) => {
  if (message === ("stop" satisfies StopMessage)) process.exit();
});

/** The same model; its native calls pass the gate. */
function gated(open: OpenModel): OpenModel {
  return async (options) => {
    const opened = await gate.pass(() => open(options));
    const { session } = opened;
    return { ...opened, session: { ...session, run: (texts) => gate.pass(() => session.run(texts)) } };
  };
}
