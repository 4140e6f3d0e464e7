import { AutoModel, AutoTokenizer, env, LogLevel, type PreTrainedModel, Tensor } from "@huggingface/transformers";
import { EncoderError } from "../../errors.ts";
import type { Model, OpenModel } from "../encoder.ts";
import { sha256Hex } from "../manifest.ts";
import { oneTextPerRun, type Session } from "../session.ts";
import { tokenizerOf } from "../tokenizer.ts";
import { graphFile, type HubOptions, type HubSnapshot, hubSnapshot } from "./hub-files.ts";

// All files are on the disk before transformers.js is asked for any: it has nothing to fetch and nothing to cache.
env.allowRemoteModels = false;
env.useFSCache = false;
// When a run fails it logs the token ids, which are the user's text.
env.logLevel = LogLevel.NONE;

/**
 * Opens a sentence-transformers model of the Hugging Face hub in Node, through transformers.js, in float32: dynamic int8
 * graphs of strangers come without vectors to test them against. One thread, as in `openNodeModel`.
 * @param id `org/name`, or `org/name@revision`
 */
export function openHubModel(id: string, options?: HubOptions): OpenModel {
  return async () => {
    const snapshot = await hubSnapshot(id, options);
    const { directory, config } = snapshot;
    const tokenizer = await AutoTokenizer.from_pretrained(directory);
    const model = await AutoModel.from_pretrained(directory, {
      device: "cpu",
      dtype: "fp32",
      // ONNX Runtime finds a graph's external data beside it; transformers.js would look for it in its own way.
      use_external_data_format: false,
      session_options: { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential", enableMemPattern: false },
    });
    const session = hubSession(model, config);
    try {
      await session.run([tokenizer.encode("probe")]);
    } catch (error) {
      await session.dispose();
      const reason = error instanceof Error ? error.message : String(error);
      throw new EncoderError("load_failed", `The model ${id} cannot be used: ${reason}`, {}, { cause: error });
    }
    return {
      model: { id, fingerprint: await fingerprintOf(snapshot), ...config },
      tokenizer: tokenizerOf(tokenizer._tokenizer),
      session,
      selfTest: null,
      otherwise: null,
    };
  };
}

function hubSession(model: PreTrainedModel, { pooling, dimensions }: Pick<Model, "pooling" | "dimensions">): Session {
  return {
    device: "native",
    batch: oneTextPerRun,
    async run([ids = []]) {
      const dims = [1, ids.length];
      // Where a graph takes `token_type_ids`, transformers.js adds them as zeros.
      const outputs = await model({
        input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
        attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
      });
      const states: unknown = outputs.last_hidden_state;
      if (!(states instanceof Tensor) || !(states.data instanceof Float32Array)) {
        throw new EncoderError("inference_failed", `${graphFile} gives no float32 output named last_hidden_state`);
      }
      if (states.data.length !== ids.length * dimensions) {
        throw new EncoderError(
          "inference_failed",
          `${graphFile} gives a state of [${states.dims}], but its pooling is of ${dimensions} dimensions`,
        );
      }
      const vector = pooling === "cls" ? states.data.subarray(0, dimensions) : meanOfRows(states.data, dimensions);
      const copy = new Float32Array(vector);
      states.dispose();
      return [copy];
    },
    async dispose() {
      await model.dispose();
    },
  };
}

/** The mean over all tokens: a text runs alone, so that none of them is padding. Summed in float64. */
function meanOfRows(states: Float32Array, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let row = 0; row < states.length; row += width) {
    for (let column = 0; column < width; column++) sums[column] = (sums[column] ?? 0) + (states[row + column] ?? 0);
  }
  const rows = states.length / width;
  return sums.map((sum) => sum / rows);
}

/** SHA-256 over everything that decides a vector: graph, weights and tokenizer by their hashes, token limit, pooling, prompts. */
async function fingerprintOf({ files, config: { maxTokens, pooling, prompts } }: HubSnapshot): Promise<string> {
  const decisiveFiles = Object.entries(files).filter(([name]) => name.startsWith("tokenizer") || name.startsWith(graphFile));
  const hashes = Object.fromEntries(decisiveFiles.sort(([a], [b]) => (a < b ? -1 : 1)));
  const decisive = { files: hashes, maxTokens, pooling, prompts: { passage: prompts.passage, query: prompts.query } };
  return sha256Hex(new TextEncoder().encode(JSON.stringify(decisive)));
}
