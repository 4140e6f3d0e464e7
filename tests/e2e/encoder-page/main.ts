import { createEncoder } from "../../../web/encoder.ts";
import { type RuntimeRecord, runtimeChannel } from "./runtime-record.ts";

declare global {
  interface Window {
    createEncoder: typeof createEncoder;
    /** What the workers' runtimes have done since the page was opened. */
    runtimeRecords: RuntimeRecord[];
  }
}

window.createEncoder = createEncoder;
window.runtimeRecords = [];
new BroadcastChannel(runtimeChannel).addEventListener("message", ({ data }: MessageEvent<RuntimeRecord>) =>
  window.runtimeRecords.push(data),
);
