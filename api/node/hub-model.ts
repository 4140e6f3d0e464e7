import { AutoModel, AutoTokenizer, env, LogLevel, Tensor } from "@huggingface/transformers";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { tokenizerOf } from "../../shared/encoder/tokenizer.ts";
import { hubFingerprint } from "../../shared/hub/repository.ts";
import { openHubSession } from "../../shared/hub/session.ts";
import { type HubOptions, hubSnapshot } from "./hub-files.ts";

// All files are on the disk before transformers.js is asked for any: it has nothing to fetch and nothing to cache.
env.allowRemoteModels = false;
env.useFSCache = false;
// When a run fails it logs the token ids, which are the user's text.
env.logLevel = LogLevel.NONE;

/**
 * Opens a sentence-transformers model of the Hugging Face hub in Node, through transformers.js, in float32: dynamic int8
 * graphs of strangers come without vectors to test them against. One thread, as in `openNodeModel`.
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
      // ONNX Runtime finds a graph's external data beside it; transformers.js would look for it in its own way.
      use_external_data_format: false,
      session_options: { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential", enableMemPattern: false },
    });
    const session = await openHubSession({ model: loaded, Tensor }, "native", model, tokenizer);
    return { model, tokenizer, session, selfTest: null, otherwise: null };
  };
}
