import { type ChildProcess, fork } from "node:child_process";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { WorkerHandle } from "../../shared/encoder/protocol.ts";

/** Argument that starts a process with a lower CPU priority. */
export const yieldingArgument = "--yielding";

/** Running processes. One exit listener kills all, because Node.js reports many listeners as a leak. */
const running = new Set<ChildProcess>();
const killAll = () => {
  for (const child of running) child.kill("SIGKILL");
};

/**
 * Starts a worker as a child process. Unlike a thread, a process can be killed while a native call hangs, and a native crash ends only the
 * process. Transferring a vector takes 0.05 % of the time of a bulk text and 1.3 % of a query.
 * @param options.yielding run with a lower CPU priority
 */
export function spawnEncoderProcess({ yielding }: { readonly yielding: boolean }): WorkerHandle {
  const child = fork(new URL("./encoder-worker.js", import.meta.url), yielding ? [yieldingArgument] : [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // Otherwise ONNX Runtime writes a machine id to disk and sends telemetry for each session.
    env: { ORT_DISABLE_TELEMETRY: "1", ...process.env },
  });
  if (running.size === 0) process.on("exit", killAll);
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    const onEnd = () => {
      running.delete(child);
      if (running.size === 0) process.off("exit", killAll);
      resolve();
    };
    child.once("exit", onEnd);
    // A process that could not be started has no exit.
    child.once("error", () => {
      if (child.pid === undefined) onEnd();
    });
  });
  return {
    endpoint: nodeEndpoint({
      // Send errors are ignored: the exit event reports a dead process.
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
