/**
 * Preloaded with `--require` into a process and so into its worker threads: appends what each thread really does with
 * ONNX Runtime and with the WebAssembly engine to the file that RUNTIME_LOG names, one JSON line an event. `at` is in ms on a clock
 * common to all threads. Without RUNTIME_LOG it does nothing.
 */
const { appendFileSync } = require("node:fs");
const { threadId } = require("node:worker_threads");

const file = process.env.RUNTIME_LOG;
if (file) {
  const record = (event) =>
    appendFileSync(file, `${JSON.stringify({ thread: threadId, event, at: performance.timeOrigin + performance.now() })}\n`);

  const { dlopen } = process;
  process.dlopen = (module, path, ...rest) => {
    if (path.includes("onnxruntime")) record("native-load");
    return dlopen.call(process, module, path, ...rest);
  };

  const recorded = (compute, device) => {
    record("run-start");
    const end = () => record("run-end");
    if (device === "native") return compute().finally(end);
    try {
      return compute();
    } finally {
      end();
    }
  };
  if (threadId !== 0) require("./around-sessions.cjs")({ run: recorded, created: () => record("create") });
}
