import type { WorkerHandle } from "../../shared/encoder/protocol.ts";

/** Adapts a Web Worker for an {@link EncoderPool}. */
export function workerHandle(worker: Worker): WorkerHandle {
  return {
    endpoint: worker,
    onDeath(listener) {
      worker.addEventListener("error", (event) => {
        // The pool handles the error, so it is not reported to the page's console.
        event.preventDefault();
        // The event has no message if the script could not be fetched.
        listener(event.message?.replace(/^Uncaught (\w*Error: )?/, "") || "its script could not be loaded");
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}
