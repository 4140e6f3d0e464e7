import { exposeEncoder } from "../../shared/encoder/worker.ts";
import { type HubModelFiles, openHubModelInWorker } from "./hub-model.ts";
import { inflate } from "./inflate.ts";

/** The data that a worker loads a hub model from. */
export interface PreparedHubModel extends HubModelFiles {
  /** ONNX Runtime's WASM, WebGPU build, gzip-compressed. */
  readonly runtime: Blob;
}

// Separate from the encoder's worker: in the npm package each worker is one file, and this one contains transformers.js.
exposeEncoder<PreparedHubModel>((prepared) => openHubModelInWorker(prepared, () => inflate(prepared.runtime)));
