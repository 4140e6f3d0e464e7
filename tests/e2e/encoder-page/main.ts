import { wrap } from "comlink";
import { createEncoder } from "../../../web/encoder.ts";
import type { ReadingService } from "../../../web/reading-worker.ts";
import { destroyChannel, type RuntimeRecord, runtimeChannel, type Scenario, scenarioChannel } from "./runtime-record.ts";

declare global {
  interface Window {
    createEncoder: typeof createEncoder;
    startReading(): Pick<ReadingService, "readFile">;
    /** What the workers' runtimes have done since the page was opened. */
    runtimeRecords: RuntimeRecord[];
    /** What the graphics device is in workers that are started from now on. At first: a real one. */
    scenario: Scenario;
    destroyDevice(): void;
  }
}

window.createEncoder = createEncoder;
window.startReading = () =>
  wrap<ReadingService>(new Worker(new URL("../../../web/reading-worker.ts", import.meta.url), { type: "module" }));
window.runtimeRecords = [];
window.scenario = { gpu: "real" };
window.destroyDevice = () => new BroadcastChannel(destroyChannel).postMessage("destroy");

new BroadcastChannel(runtimeChannel).addEventListener("message", ({ data }: MessageEvent<RuntimeRecord>) =>
  window.runtimeRecords.push(data),
);

const scenarios = new BroadcastChannel(scenarioChannel);
scenarios.addEventListener("message", ({ data }) => {
  if (data.ask) scenarios.postMessage({ scenario: window.scenario });
});
