import type { Model } from "../encoder/encoder.ts";
import { type Device, oneTextPerRun, type Session } from "../encoder/session.ts";
import type { Tokenizer } from "../encoder/tokenizer.ts";
import { EncoderError } from "../errors.ts";
import { graphFile } from "./repository.ts";

/** The part of a transformers.js tensor that this file uses. */
interface HubTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
  dispose(): void;
}

/** The part of a transformers.js model that this file uses. */
export interface HubRuntime<Tensor extends HubTensor> {
  readonly model: {
    (inputs: Record<string, Tensor>): Promise<Readonly<Record<string, unknown>>>;
    dispose(): Promise<unknown>;
  };
  /** The tensor class of transformers.js. */
  readonly Tensor: new (
    type: "int64",
    data: BigInt64Array,
    dims: number[],
  ) => Tensor;
}

/**
 * Creates a session over a model that transformers.js has loaded, and tests it with one run. If the run fails, the model is disposed and
 * the call rejects with `load_failed`.
 */
export async function openHubSession<Tensor extends HubTensor>(
  runtime: HubRuntime<Tensor>,
  device: Device,
  model: Model,
  tokenizer: Tokenizer,
): Promise<Session> {
  const session = hubSession(runtime, device, model);
  try {
    await session.run([tokenizer.encode("probe")]);
    return session;
  } catch (error) {
    await session.dispose();
    const reason = error instanceof Error ? error.message : String(error);
    throw new EncoderError("load_failed", `The model ${model.id} cannot be used: ${reason}`, {}, { cause: error });
  }
}

function hubSession<Tensor extends HubTensor>(
  { model, Tensor }: HubRuntime<Tensor>,
  device: Device,
  { pooling, dimensions }: Pick<Model, "pooling" | "dimensions">,
): Session {
  return {
    device,
    batch: oneTextPerRun,
    async run([ids = []]) {
      const dims = [1, ids.length];
      // transformers.js adds `token_type_ids` of zeros if the graph has that input.
      const outputs = await model({
        input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
        attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
      });
      const states: unknown = outputs.last_hidden_state;
      if (!(states instanceof Tensor) || !(states.data instanceof Float32Array)) {
        throw new EncoderError("inference_failed", `${graphFile} returns no float32 output named last_hidden_state`);
      }
      if (states.data.length !== ids.length * dimensions) {
        throw new EncoderError(
          "inference_failed",
          `${graphFile} returns a state of [${states.dims}], but its pooling has ${dimensions} dimensions`,
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

/** The mean of all tokens, summed in float64. A text runs alone, so no token is padding. */
function meanOfRows(states: Float32Array, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let row = 0; row < states.length; row += width) {
    for (let column = 0; column < width; column++) sums[column] = (sums[column] ?? 0) + (states[row + column] ?? 0);
  }
  const rows = states.length / width;
  return sums.map((sum) => sum / rows);
}
