import { constants, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { exposeEncoder } from "../../shared/encoder/worker.ts";
import type { PreparedModel, StopMessage, WorkerData } from "./encoder.ts";
import { NativeGate } from "./native-gate.ts";
import { openNodeModel } from "./node-model.ts";

if (!parentPort) throw new Error("encoder-worker.js is the entry of a worker thread: see encoder.js");
const { gate: flags, yielding } = workerData as WorkerData;
const gate = new NativeGate(flags);
// With three threads on two cores, a question that is computed while bulk texts are takes 1.7 times as long as alone,
// and no longer than alone once those yield. Only Linux knows the priority of a thread: elsewhere it is the process's.
if (yielding && process.platform === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

exposeEncoder<PreparedModel>((source) => {
  if ("directory" in source) return gated(openNodeModel(source));
  return gated(async () => {
    // transformers.js costs 200 ms and 45 MB a worker: only who uses a hub model pays for it.
    const { openHubModel } = await import("./hub-model.ts");
    return openHubModel(source.hub, source)();
  });
}, nodeEndpoint(parentPort));

parentPort.on("message", (message: unknown) => {
  if (message === ("stop" satisfies StopMessage)) process.exit();
});

/** The same model; its native calls pass the gate. */
function gated(open: OpenModel): OpenModel {
  return async () => {
    const { session, otherwise, ...opened } = await gate.pass(open);
    const run: typeof session.run = (texts) => gate.pass(() => session.run(texts));
    return { ...opened, session: { ...session, run }, otherwise: otherwise && gated(otherwise) };
  };
}
