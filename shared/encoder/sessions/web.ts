import { bundledModel, type LoadFile } from "../bundled.ts";
import type { OpenModel } from "../encoder.ts";
import type { Manifest } from "../manifest.ts";
import { type BatchPolicy, oneTextPerRun } from "../session.ts";
import { onnxSession } from "./onnx.ts";

/** Where a browser computes. */
export type WebDevice = "wasm" | "webgpu";

export interface WebModelOptions {
  readonly device: WebDevice;
  readonly manifest: Manifest;
  /** Gives the bytes of a file of the model, by the name that the manifest gives it. */
  readonly load: LoadFile;
  /** URL of the runtime's `.wasm` for this device, on our own origin. */
  readonly runtime: string;
}

/** Some 4,000 tokens keep a GPU busy, and in float32 a vector does not depend on its neighbours. */
const gpuBatch: BatchPolicy = { texts: 32, tokens: 4096 };

/**
 * Opens a bundled model in a browser's worker, on one thread: without shared memory the page needs no cross-origin
 * isolation. Of the two runtimes only the device's own is fetched.
 */
export function openWebModel({ device, manifest, load, runtime }: WebModelOptions): OpenModel {
  return bundledModel({
    manifest,
    load,
    graph: device === "webgpu" ? "gpu" : "cpu",
    // WebAssembly widens before it multiplies, and WebGPU computes in float32: neither saturates.
    exactProductsMayHelp: false,
    async createSession({ graph, load }) {
      const { env, InferenceSession, Tensor } = await (device === "webgpu"
        ? import("onnxruntime-web/webgpu")
        : import("onnxruntime-web/wasm"));
      env.wasm.numThreads = 1;
      // Without it the runtime would be looked for beside the script, under a name that the bundler has changed.
      env.wasm.wasmPaths = { wasm: runtime };
      // The runtime copies graph and weights into its own memory; ours are let go with this function.
      const externalData = await Promise.all(manifest.weights.map(async (path) => ({ path, data: await load(path) })));
      const session = await InferenceSession.create(await load(graph.file), {
        executionProviders: [device],
        externalData,
        // Texts differ in length: memory patterns would keep one plan for each length seen.
        enableMemPattern: false,
        // Errors alone: that some operators of a WebGPU graph run on the CPU is by design, and no news for a page's console.
        logSeverityLevel: 3,
        // WebGPU has no kernels for our int8 products: the weights become float32 once, at load.
        ...(device === "webgpu" && { extra: { session: { disable_quant_qdq: "1" } } }),
      });
      return onnxSession({ runtime: session, Tensor, inputs: graph.inputs, device, batch: device === "webgpu" ? gpuBatch : oneTextPerRun });
    },
  });
}
