import { basename, dirname, resolve } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { type Embed, type PeerModel, Unavailable } from "./contender.ts";

export interface PipelineOptions {
  readonly peer: PeerModel;
  /** Texts in one call: `Infinity` for all at once. */
  readonly textsPerCall: number;
}

/** transformers.js as its documentation shows it, on the published int8 graph. Threads are its own choice: one for each core. */
export async function openPipeline({ peer, textsPerCall }: PipelineOptions): Promise<Embed> {
  const model = "hub" in peer ? peer.hub : basename(resolve(peer.directory));
  if ("directory" in peer) {
    env.localModelPath = dirname(resolve(peer.directory));
    env.allowRemoteModels = false;
  }
  const extract = await pipeline("feature-extraction", model, {
    dtype: "q8",
    device: "cpu",
  }).catch((error: unknown) => {
    throw new Unavailable("transformers.js could not load its model; name a folder that holds it by --peer-model", { cause: error });
  });

  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (let start = 0; start < texts.length; start += textsPerCall) {
      const pooled = await extract(texts.slice(start, start + textsPerCall), { pooling: "cls", normalize: true });
      vectors.push(...rowsOf(pooled));
    }
    return vectors;
  };
}

function rowsOf({ data, dims }: { readonly data: unknown; readonly dims: readonly number[] }): Float32Array[] {
  const [rows = 0, width = 0] = dims;
  if (!(data instanceof Float32Array)) throw new TypeError("the pipeline gave no float32");
  return Array.from({ length: rows }, (_, row) => data.slice(row * width, (row + 1) * width));
}
