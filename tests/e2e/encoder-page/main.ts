import { createEncoder } from "../../../web/encoder/encoder.ts";
import { destroyChannel, type RuntimeRecord, runtimeChannel, type Scenario, scenarioChannel } from "./runtime-record.ts";

declare global {
  interface Window {
    createEncoder: typeof createEncoder;
    /** What the workers' runtimes have done since the page was opened. */
    runtimeRecords: RuntimeRecord[];
    /** What the graphics device is in workers that are started from now on. At first: a real one. */
    scenario: Scenario;
    destroyDevice(): void;
  }
}

window.createEncoder = createEncoder;
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
