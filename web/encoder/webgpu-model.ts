import { type LoadFile, openedBundledModel } from "../../shared/encoder/bundled-model.ts";
import type { Manifest } from "../../shared/encoder/manifest.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { onnxSession } from "../../shared/encoder/onnx-session.ts";
import type { BatchPolicy } from "../../shared/encoder/session.ts";
import { guarded, withoutSubgroups } from "./graphics-device.ts";

export interface WebgpuModelOptions {
  readonly manifest: Manifest;
  /** Gives the bytes of a file of the model, checked against the manifest. */
  readonly load: LoadFile;
  /** Gives ONNX Runtime's WASM, in its build for WebGPU. */
  readonly loadRuntime: () => Promise<ArrayBuffer>;
}

/**
 * Some 4,000 tokens keep a GPU busy, and in float32 a vector does not depend on its neighbours. For lengths that are
 * multiples of 32 the runtime compiles 19 shaders for a text alone and 2 more for several; other lengths bring more. The
 * runtime has other kernels for 32 tokens and more: padded to 32, every text of the self-test proves those.
 */
const gpuBatch: BatchPolicy = { texts: 32, tokens: 4096, lengthStep: 32 };

/**
 * Opens a bundled model's gpu.onnx in a browser's worker. The session fails, and with it the worker, as soon as the graphics device is
 * lost.
 */
export function openWebgpuModel({ manifest, load, loadRuntime }: WebgpuModelOptions): OpenModel {
  return async () => {
    const { env, InferenceSession, Tensor } = await import("onnxruntime-web/webgpu");
    env.wasm.numThreads = 1;
    env.wasm.wasmBinary = await loadRuntime();
    const { file, inputs } = manifest.devices.webgpu;
    // The runtime copies graph and weights into its own memory; ours are let go with this function.
    const externalData = await Promise.all(manifest.weights.map(async (path) => ({ path, data: await load(path) })));
    const bytes = await load(file);
    const runtime = await withoutSubgroups(() =>
      InferenceSession.create(bytes, {
        executionProviders: ["webgpu"],
        externalData,
        // Texts differ in length: memory patterns would keep one plan for each length seen.
        enableMemPattern: false,
        // Errors alone: that some operators of the graph run on the CPU is by design, and no news for a page's console.
        logSeverityLevel: 3,
        // WebGPU has no kernels for our int8 products: the weights become float32 once, at load.
        extra: { session: { disable_quant_qdq: "1" } },
      }),
    );
    // Compiled by now.
    delete env.wasm.wasmBinary;
    const session = guarded(onnxSession({ runtime, Tensor, inputs, device: "webgpu", batch: gpuBatch }), await env.webgpu.device);
    return openedBundledModel(manifest, load, session, null);
  };
}
