import { abortable } from "../../shared/async.ts";
import type { Session } from "../../shared/encoder/session.ts";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Runs `create` while `requestDevice` omits the subgroups feature, which the runtime requests if the adapter has it. With subgroups of
 * size 4, its kernels for 32 tokens and more return wrong vectors (a cosine of 0.895). Other sizes have not been tested.
 */
export async function withoutSubgroups<Result>(create: () => Promise<Result>): Promise<Result> {
  // Undefined in browsers without WebGPU, where `create` fails with its own reason.
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
 * A session that fails as soon as its device is lost or reports an uncaptured error, such as out of memory. No run is started after
 * that: the runtime would wait for the device in a synchronous loop that never ends.
 */
export function guarded(session: Session, device: GPUDevice): Session {
  let disposed = false;
  const failure = new AbortController();
  const { signal } = failure;
  const fail = (message: string) => {
    if (disposed || signal.aborted) return;
    const error = new EncoderError("inference_failed", message);
    failure.abort(error);
    // Notifies the worker's owner immediately, not at the next text.
    reportError(error);
  };
  void device.lost.then(({ message }) => fail(`The graphics device was lost (${message.trim() || "no reason given"})`));
  device.addEventListener("uncapturederror", ({ error }) => fail(`The graphics device failed (${error.message})`), { once: true });
  return {
    ...session,
    async run(texts) {
      signal.throwIfAborted();
      return abortable(session.run(texts), signal);
    },
    dispose() {
      disposed = true;
      return session.dispose();
    },
  };
}
