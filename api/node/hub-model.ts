import { AutoModel, AutoTokenizer, env, LogLevel, Tensor } from "@huggingface/transformers";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { tokenizerOf } from "../../shared/encoder/tokenizer.ts";
import { hubFingerprint } from "../../shared/hub/repository.ts";
import { openHubSession } from "../../shared/hub/session.ts";
import { type HubOptions, hubSnapshot } from "./hub-files.ts";

// All files are on disk before transformers.js opens them. It must neither download nor cache anything.
env.allowRemoteModels = false;
env.useFSCache = false;
// transformers.js logs token ids of failed runs, which reveal the user's text.
env.logLevel = LogLevel.NONE;

/**
 * Opens a sentence-transformers model of the Hugging Face hub in Node.js with transformers.js, on one thread. Uses float32 weights, because
 * int8 variants have no reference vectors to test against. Rejects with the errors of `hubSnapshot`.
 * @param id `org/name`, or `org/name@revision`
 * @example
 * const encoder = createSessionEncoder(openHubModel("sentence-transformers/all-MiniLM-L6-v2"));
 */
export function openHubModel(id: string, options?: HubOptions): OpenModel {
  return async () => {
    const { directory, files, config } = await hubSnapshot(id, options);
    const model = { id, fingerprint: await hubFingerprint(files, config), ...config };
    const tokenizer = tokenizerOf((await AutoTokenizer.from_pretrained(directory))._tokenizer);
    const loaded = await AutoModel.from_pretrained(directory, {
      device: "cpu",
      dtype: "fp32",
      // ONNX Runtime finds external data next to the graph. The lookup of transformers.js is not needed.
      use_external_data_format: false,
      session_options: { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential", enableMemPattern: false },
    });
    const session = await openHubSession({ model: loaded, Tensor }, "native", model, tokenizer);
    return { model, tokenizer, session, selfTest: null, otherwise: null };
  };
}
