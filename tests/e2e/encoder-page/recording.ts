import type { InferenceSession } from "onnxruntime-web";
import { type RuntimeRecord, runtimeChannel } from "./runtime-record.ts";

export const worker = crypto.randomUUID();
const now = () => performance.timeOrigin + performance.now();
const channel = new BroadcastChannel(runtimeChannel);
export const tell = (record: RuntimeRecord) => channel.postMessage(record);

type Run = (feeds: InferenceSession.FeedsType) => Promise<InferenceSession.ReturnType>;

/** Tells the page of each shader that this worker compiles. */
export function recordShaders(): void {
  for (const method of ["createComputePipeline", "createComputePipelineAsync"] as const) {
    const compile = GPUDevice.prototype[method] as (descriptor: GPUComputePipelineDescriptor) => unknown;
    const compileRecorded = function (this: GPUDevice, descriptor: GPUComputePipelineDescriptor) {
      tell({ worker, compiled: true });
      return compile.call(this, descriptor);
    };
    Object.assign(GPUDevice.prototype, { [method]: compileRecorded });
  }
}

/** A session that tells the page what it does. */
export function recorded<S extends InferenceSession>(session: S, provider: string, run: Run = session.run.bind(session)): S {
  tell({ worker, created: provider });
  session.run = async (feeds: InferenceSession.FeedsType) => {
    const start = now();
    tell({ worker, began: start });
    try {
      return await run(feeds);
    } finally {
      tell({ worker, start, end: now() });
    }
  };
  return session;
}
