/** The index worker, which fails on two queries: "exit" ends the thread, "spin" never returns. */
import "../../dist/api/node/index-worker.js";
import { parentPort } from "node:worker_threads";

// After the worker's own listener: the first listener starts the port, and receives what has already been sent.
parentPort.on("message", (message) => {
  const query = message.argumentList?.[0]?.value?.query;
  if (query === "exit") process.exit(1);
  while (query === "spin");
});
