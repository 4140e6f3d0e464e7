/** Process of one contender in Node.js. The first job loads the contender. */
import { basename, dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Unavailable } from "./benchmark.ts";
import { answerMessages } from "./child.ts";
import type { PeerModel } from "./peers/peer-model.ts";
import { type LoopDelay, measureUsage, ownCpuSeconds, ownPeakBytes, type Usage, watchEventLoop } from "./usage.ts";

/** The product's pool, or `pipeline` of transformers.js. */
export type NodeMethod = { readonly workers: number } | { readonly textsPerCall: number };

export interface EncodeJob {
  readonly method: NodeMethod;
  readonly peer: PeerModel;
  /** Texts that are embedded before the measurement. */
  readonly warmUp: readonly string[];
  readonly texts: readonly string[];
}

export interface Encoded {
  readonly vectors: Float32Array[];
  /** `loopDelay` is null if a call blocks the process. */
  readonly figures: Usage & { readonly peakBytes: number; readonly loopDelay: LoopDelay | null };
}

export type EncodeAnswer = Encoded | { readonly unavailable: string };

type Embed = (texts: readonly string[]) => Promise<Float32Array[]>;

let opened: Promise<Embed> | undefined;

answerMessages(async (job: EncodeJob): Promise<EncodeAnswer> => {
  try {
    opened ??= open(job);
    const embed = await opened;
    const stopWatching = watchEventLoop();
    const { result: vectors, usage } = await measureUsage(ownCpuSeconds, () => embed(job.texts));
    return { vectors, figures: { ...usage, peakBytes: ownPeakBytes(), loopDelay: await stopWatching() } };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.error(error.cause);
    return { unavailable: error.message };
  }
});

/** Imports only the modules of the method, since loaded modules add to peak memory. */
async function open({ method, peer, warmUp }: EncodeJob): Promise<Embed> {
  const embed = await ("workers" in method ? openPool(method.workers) : openPipeline(peer, method.textsPerCall));
  await embed(warmUp);
  return embed;
}

/** All texts in one call, once every worker is ready. */
async function openPool(workers: number): Promise<Embed> {
  const { createEncoder } = await import("../api/node/encoder.ts");
  const encoder = createEncoder({ workers });
  await encoder.load();
  while (encoder.info().workers.ready < workers) await sleep(5);
  return async (texts) => (await encoder.embed(texts)).vectors;
}

/** As in the documentation of transformers.js, on the published int8 graph. The runtime uses one thread per core. */
async function openPipeline(peer: PeerModel, textsPerCall: number): Promise<Embed> {
  const { env, pipeline } = await import("@huggingface/transformers");
  const model = "hub" in peer ? peer.hub : basename(resolve(peer.directory));
  if ("directory" in peer) {
    env.localModelPath = dirname(resolve(peer.directory));
    env.allowRemoteModels = false;
  }
  const extract = await pipeline("feature-extraction", model, { dtype: "q8", device: "cpu" }).catch((cause: unknown) => {
    throw new Unavailable("transformers.js could not load its model; name a folder that holds it by --peer-model", { cause });
  });
  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (let start = 0; start < texts.length; start += textsPerCall) {
      const pooled = await extract(texts.slice(start, start + textsPerCall), { pooling: "cls", normalize: true });
      const [rows = 0, width = 0] = pooled.dims;
      const numbers = pooled.data as Float32Array; // the tensor is float32
      for (let row = 0; row < rows; row++) vectors.push(numbers.slice(row * width, (row + 1) * width));
    }
    return vectors;
  };
}
