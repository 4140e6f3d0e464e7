import { type LoadFile, openedBundledModel } from "../../shared/encoder/bundled-model.ts";
import type { Manifest } from "../../shared/encoder/manifest.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { onnxSession } from "../../shared/encoder/onnx-session.ts";
import type { BatchPolicy } from "../../shared/encoder/session.ts";
import { guarded, withoutSubgroups } from "./graphics-device.ts";

/** Options of {@link openWebgpuModel}. */
export interface WebgpuModelOptions {
  readonly manifest: Manifest;
  /** Returns the bytes of a file of the model, verified by the manifest. */
  readonly load: LoadFile;
  /** Returns ONNX Runtime's WASM, WebGPU build. */
  readonly loadRuntime: () => Promise<ArrayBuffer>;
}

/**
 * About 4,000 tokens saturate a GPU, and in float32 a vector does not depend on the other texts of its batch. For lengths that are
 * multiples of 32, the runtime compiles 19 shaders for a single text and 2 more for several; other lengths need more. The runtime uses
 * different kernels from 32 tokens on. Padding to 32 makes every text of the self-test test them.
 */
const gpuBatch: BatchPolicy = { texts: 32, tokens: 4096, lengthStep: 32 };

/**
 * Opens a bundled model's gpu.onnx in a Web Worker. When the graphics device is lost, the session and its worker fail immediately.
 */
export function openWebgpuModel({ manifest, load, loadRuntime }: WebgpuModelOptions): OpenModel {
  return async () => {
    const { env, InferenceSession, Tensor } = await import("onnxruntime-web/webgpu");
    env.wasm.numThreads = 1;
    env.wasm.wasmBinary = await loadRuntime();
    const { file, inputs } = manifest.devices.webgpu;
    // The runtime copies graph and weights into its own memory, so these are garbage after this function.
    const externalData = await Promise.all(manifest.weights.map(async (path) => ({ path, data: await load(path) })));
    const bytes = await load(file);
    const runtime = await withoutSubgroups(() =>
      InferenceSession.create(bytes, {
        executionProviders: ["webgpu"],
        externalData,
        // Memory patterns would store one plan for each text length.
        enableMemPattern: false,
        // Errors only. The runtime warns that some operators run on the CPU, which is intended.
        logSeverityLevel: 3,
        // WebGPU has no kernels for the int8 products of the graph: the weights are converted to float32 once, at load.
        extra: { session: { disable_quant_qdq: "1" } },
      }),
    );
    // The binary is compiled by now.
    delete env.wasm.wasmBinary;
    const session = guarded(onnxSession({ runtime, Tensor, inputs, device: "webgpu", batch: gpuBatch }), await env.webgpu.device);
    return openedBundledModel(manifest, load, session, null);
  };
}
