import { type ChildProcess, fork } from "node:child_process";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { WorkerHandle } from "../../shared/encoder/protocol.ts";

/** The argument with which a process lets others compute first. */
export const yieldingArgument = "--yielding";

/** Running processes. One listener ends all of them: many listeners would be reported as a leak. */
const running = new Set<ChildProcess>();
const killAll = () => {
  for (const child of running) child.kill("SIGKILL");
};

/**
 * Starts a worker as a process of its own. A native call that hangs or crashes ends with its process, which no JavaScript could do to a
 * thread. Vectors cost 0.05 % of a bulk text's time on their way from a process, and 1.3 % of a query's.
 * @param options.yielding whether the process lets others compute first
 */
export function spawnEncoderProcess({ yielding }: { readonly yielding: boolean }): WorkerHandle {
  const child = fork(new URL("./encoder-worker.js", import.meta.url), yielding ? [yieldingArgument] : [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // ONNX Runtime's library would otherwise write an id of this machine to the disk and report each session to its maker.
    env: { ORT_DISABLE_TELEMETRY: "1", ...process.env },
  });
  if (running.size === 0) process.on("exit", killAll);
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      running.delete(child);
      if (running.size === 0) process.off("exit", killAll);
      resolve();
    });
  });
  return {
    endpoint: nodeEndpoint({
      // A process that is gone is reported by its exit.
      postMessage: (message) => void child.send(message, () => {}),
      on: (event, listener) => child.on(event, listener),
      off: (event, listener) => child.off(event, listener),
    }),
    onDeath(listener) {
      child.once("error", (error) => listener(error.message));
      child.once("exit", (code, signal) =>
        listener(signal ? `its process was ended by ${signal}` : `its process exited with code ${code}`),
      );
    },
    async terminate() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
