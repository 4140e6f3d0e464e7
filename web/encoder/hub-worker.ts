import { exposeEncoder } from "../../shared/encoder/worker.ts";
import { type HubModelFiles, openHubModelInWorker } from "./hub-model.ts";
import { inflate } from "./inflate.ts";

/** What a worker for a model of the Hugging Face hub loads from. */
export interface PreparedHubModel extends HubModelFiles {
  /** ONNX Runtime's WASM in its build for WebGPU, compressed with gzip. */
  readonly runtime: Blob;
}

// A worker of its own, not a part of the encoder's: in the npm package each is one file, and this one has transformers.js in it.
exposeEncoder<PreparedHubModel>((prepared) => openHubModelInWorker(prepared, () => inflate(prepared.runtime)));
