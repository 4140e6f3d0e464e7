/**
 * Preloaded with `--require` into a process and so into its worker processes: appends what each really does with
 * ONNX Runtime and with the WebAssembly engine to the file that RUNTIME_LOG names, one JSON line an event. `at` is in ms on a clock
 * common to all processes. Without RUNTIME_LOG it does nothing.
 */
const { appendFileSync } = require("node:fs");

const file = process.env.RUNTIME_LOG;
const isWorker = process.argv[1]?.endsWith("encoder-worker.js") ?? false;
if (file) {
  const record = (event) =>
    appendFileSync(
      file,
      `${JSON.stringify({ worker: isWorker ? process.pid : 0, event, at: performance.timeOrigin + performance.now() })}\n`,
    );

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
  if (isWorker) require("./around-sessions.cjs")({ run: recorded, created: () => record("create") });
}
