import type { InferenceSession } from "onnxruntime-web";
import { EncoderError } from "../../errors.ts";
import { bundledModel, type LoadFile } from "../bundled.ts";
import type { OpenModel } from "../encoder.ts";
import type { Manifest } from "../manifest.ts";
import { type BatchPolicy, equalLengthsPerRun, type Session, type Speed } from "../session.ts";
import { onnxSession } from "./onnx.ts";

/** Where a browser computes. */
export type WebDevice = "wasm" | "webgpu";

export interface WebModelOptions {
  readonly device: WebDevice;
  readonly manifest: Manifest;
  /** Gives the bytes of a file of the model, by the name that the manifest gives it. */
  readonly load: LoadFile;
  /** ONNX Runtime's WASM. The build for WebGPU computes on WASM too, at half the speed of the one that is made for it. */
  readonly runtime: { readonly build: WebDevice; load(): Promise<ArrayBuffer> };
  /** Whether the session tells its speed. */
  readonly measure: boolean;
}

/**
 * Some 4,000 tokens keep a GPU busy, and in float32 a vector does not depend on its neighbours. For lengths that are
 * multiples of 32 the runtime compiles 19 shaders for a text alone and 2 more for several; other lengths bring more. The
 * runtime has other kernels for 32 tokens and more: padded to 32, every text of the self-test proves those.
 */
const gpuBatch: BatchPolicy = { texts: 32, tokens: 4096, lengthStep: 32 };

/**
 * Opens a bundled model in a browser's worker, on one thread: without shared memory the page needs no cross-origin
 * isolation. On WebGPU the session fails, and with it the worker, as soon as the graphics device is lost.
 */
export function openWebModel({ device, manifest, load, runtime, measure }: WebModelOptions): OpenModel {
  return bundledModel({
    manifest,
    load,
    graph: device === "webgpu" ? "gpu" : "cpu",
    // WebAssembly widens before it multiplies, and WebGPU computes in float32: neither saturates.
    exactProductsMayHelp: false,
    async createSession({ graph, load }) {
      const { env, InferenceSession, Tensor } = await (runtime.build === "webgpu"
        ? import("onnxruntime-web/webgpu")
        : import("onnxruntime-web/wasm"));
      env.wasm.numThreads = 1;
      env.wasm.wasmBinary = await runtime.load();
      // The runtime copies graph and weights into its own memory; ours are let go with this function.
      const externalData = await Promise.all(manifest.weights.map(async (path) => ({ path, data: await load(path) })));
      const bytes = await load(graph.file);
      const create = () =>
        InferenceSession.create(bytes, {
          executionProviders: [device],
          externalData,
          // Texts differ in length: memory patterns would keep one plan for each length seen.
          enableMemPattern: false,
          // Errors alone: that some operators of a WebGPU graph run on the CPU is by design, and no news for a page's console.
          logSeverityLevel: 3,
          // WebGPU has no kernels for our int8 products: the weights become float32 once, at load.
          ...(device === "webgpu" && { extra: { session: { disable_quant_qdq: "1" } } }),
        });
      const created = await (device === "webgpu" ? withoutSubgroups(create) : create());
      // Compiled by now.
      delete env.wasm.wasmBinary;
      const session = onnxSession({
        runtime: device === "webgpu" ? guarded(created, await env.webgpu.device) : created,
        Tensor,
        inputs: graph.inputs,
        device,
        batch: device === "webgpu" ? gpuBatch : equalLengthsPerRun,
      });
      // On WebGPU this also compiles the shaders, before a text needs them.
      return measure || device === "webgpu" ? { ...session, speed: await probe(session) } : session;
    },
  });
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

/** On a device that takes longer for a short question, in ms, a batch would take too long to be a probe. */
const slowQuery = 1_000;

/** Measures a short question and a full batch, each after a run that compiles what it needs. */
async function probe(session: Session): Promise<Speed> {
  // Which tokens they are does not matter.
  const texts = (count: number, tokens: number) => Array.from({ length: count }, () => new Array<number>(tokens).fill(0));
  const timeOf = async (batch: number[][]) => {
    await session.run(batch);
    const start = performance.now();
    await session.run(batch);
    return performance.now() - start;
  };
  const query = await timeOf(texts(1, 32));
  if (query > slowQuery) return { query, tokensPerSecond: 32e3 / query };
  const count = Math.min(16, session.batch.texts);
  return { query, tokensPerSecond: (count * 128e3) / (await timeOf(texts(count, 128))) };
}
