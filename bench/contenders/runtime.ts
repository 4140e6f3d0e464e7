import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { createTokenizer, cutTokens } from "../../shared/encoder/tokenizer.ts";
import { type Embed, type PeerModel, Unavailable } from "./contender.ts";

/** The model's limit: the published files do not say it in a way that the tokenizer here reads. */
const maxTokens = 512;

/**
 * The published int8 graph straight through ONNX Runtime, on one thread, one text per run: what is left of
 * transformers.js when its model classes are taken away, and of Samevec when its own graph is.
 */
export async function openRuntime(peer: PeerModel): Promise<Embed> {
  if (!("directory" in peer)) throw new Unavailable("it reads the published graph from a folder named by --peer-model");
  const { directory } = peer;
  const readJson = async (name: string) => JSON.parse(await readFile(join(directory, name), "utf8"));
  const tokenizer = createTokenizer(await readJson("tokenizer.json"), await readJson("tokenizer_config.json"));
  const session = await InferenceSession.create(join(directory, "onnx/model_quantized.onnx"), {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    enableMemPattern: false,
  });

  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (const text of texts) {
      const ids = cutTokens(tokenizer.encode(text), maxTokens);
      const dims = [1, ids.length];
      const { last_hidden_state: hidden } = await session.run({
        input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
        attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
        token_type_ids: new Tensor("int64", new BigInt64Array(ids.length), dims),
      });
      if (!(hidden?.data instanceof Float32Array)) throw new TypeError("the graph gave no float32 tensor named last_hidden_state");
      // The vector of [CLS], the first token, is the text's.
      vectors.push(normalized(hidden.data.slice(0, hidden.dims[2])));
    }
    return vectors;
  };
}

function normalized(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return vector.map((component) => component / norm);
}
