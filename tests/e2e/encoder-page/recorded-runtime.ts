import { env, InferenceSession as RealSession, Tensor } from "onnxruntime-web/wasm";
import { recorded } from "./recording.ts";

export { env, Tensor };

/** The real runtime, which tells the page what it does. */
export const InferenceSession = {
  create: async (...options: Parameters<typeof RealSession.create>) => recorded(await RealSession.create(...options), "wasm"),
};
