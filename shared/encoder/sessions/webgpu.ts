import type { InferenceSession } from "onnxruntime-web";
import { EncoderError } from "../../errors.ts";
import { type LoadFile, openedBundledModel } from "../bundled.ts";
import type { OpenModel } from "../encoder.ts";
import type { Manifest } from "../manifest.ts";
import type { BatchPolicy, Session } from "../session.ts";
import { onnxSession } from "./onnx.ts";

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
    const created = await withoutSubgroups(() =>
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
    const runtime = guarded(created, await env.webgpu.device);
    const session: Session = onnxSession({ runtime, Tensor, inputs, device: "webgpu", batch: gpuBatch });
    return openedBundledModel(manifest, load, session, null);
  };
}

/**
 * Runs `create` while devices are given without subgroups, for which the runtime asks where an adapter has them. With them
 * its kernels for 32 tokens and more give wrong vectors (a cosine of 0.895) on an adapter with subgroups of 4; which others
 * they are right on is not known.
 */
async function withoutSubgroups<Result>(create: () => Promise<Result>): Promise<Result> {
  // Not there in browsers without WebGPU, where `create` fails with a reason of its own.
  const adapters: { prototype: GPUAdapter } | undefined = globalThis.GPUAdapter;
  if (!adapters) return create();
  const { prototype } = adapters;
  const { requestDevice } = prototype;
  prototype.requestDevice = function (descriptor) {
    const requiredFeatures = [...(descriptor?.requiredFeatures ?? [])].filter((feature) => !feature.startsWith("subgroup"));
    return requestDevice.call(this, { ...descriptor, requiredFeatures });
  };
  try {
    return await create();
  } finally {
    prototype.requestDevice = requestDevice;
  }
}

/**
 * The session, until its device is lost or reports an error that no call has caught, such as one of memory. From then on no
 * run is begun: the runtime would wait for the device in a loop that never ends, and that nothing in this thread can break.
 */
function guarded(session: InferenceSession, device: GPUDevice): Pick<InferenceSession, "run" | "release"> {
  let released = false;
  const failed = new Promise<never>((_, reject) => {
    const fail = (message: string) => {
      if (released) return;
      const error = new EncoderError("inference_failed", message);
      reject(error);
      // Whoever owns this worker is told at once, not at the next text.
      reportError(error);
    };
    void device.lost.then(({ message }) => fail(`The graphics device was lost (${message.trim() || "no reason given"})`));
    device.addEventListener("uncapturederror", ({ error }) => fail(`The graphics device failed (${error.message})`), { once: true });
  });
  let lost = false;
  failed.catch(() => {
    lost = true;
  });
  return {
    run: (feeds: Parameters<InferenceSession["run"]>[0]) => (lost ? failed : Promise.race([failed, session.run(feeds)])),
    release() {
      released = true;
      return session.release();
    },
  };
}
