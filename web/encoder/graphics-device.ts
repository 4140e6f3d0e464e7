import type { Session } from "../../shared/encoder/session.ts";
import { EncoderError } from "../../shared/errors.ts";

/**
 * Runs `create` while devices are given without subgroups, for which the runtime asks where an adapter has them. With them
 * its kernels for 32 tokens and more give wrong vectors (a cosine of 0.895) on an adapter with subgroups of 4; which others
 * they are right on is not known.
 */
export async function withoutSubgroups<Result>(create: () => Promise<Result>): Promise<Result> {
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
export function guarded(session: Session, device: GPUDevice): Session {
  let disposed = false;
  const failed = new Promise<never>((_, reject) => {
    const fail = (message: string) => {
      if (disposed) return;
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
    ...session,
    run: (texts) => (lost ? failed : Promise.race([failed, session.run(texts)])),
    dispose() {
      disposed = true;
      return session.dispose();
    },
  };
}
