import type { WorkerHandle } from "../../shared/encoder/protocol.ts";

/** A Web Worker as a pool takes it. */
export function workerHandle(worker: Worker): WorkerHandle {
  return {
    endpoint: worker,
    onDeath(listener) {
      worker.addEventListener("error", (event) => {
        // It is dealt with here: nothing is left to report for the page's console.
        event.preventDefault();
        // A script that cannot be fetched gives an event without a message.
        listener(event.message?.replace(/^Uncaught (\w*Error: )?/, "") || "its script could not be loaded");
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}
