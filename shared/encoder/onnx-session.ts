import { EncoderError } from "../errors.ts";
import { type BatchPolicy, type Device, paddedLength, type Session, type TokenIds } from "./session.ts";

/** The common part of the tensors of onnxruntime-node and onnxruntime-web. */
interface OnnxTensor {
  readonly data: unknown;
  dispose(): void;
}

/** The common part of the sessions of onnxruntime-node and onnxruntime-web. */
interface OnnxRuntimeSession<Tensor> {
  run(feeds: Record<string, Tensor>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

export interface OnnxSessionOptions<Tensor> {
  readonly runtime: OnnxRuntimeSession<Tensor>;
  /** The runtime's own tensor class. */
  readonly Tensor: new (
    type: "int64",
    data: BigInt64Array,
    dims: readonly number[],
  ) => Tensor;
  /** Names of the graph's input tensors. */
  readonly inputs: readonly string[];
  readonly device: Device;
  readonly batch: BatchPolicy;
}

/**
 * Creates a session over a graph of `models/`, which takes token ids and returns `pooled`, [batch, dimensions] float32. Runs reject with
 * `inference_failed` if the graph returns anything else.
 */
export function onnxSession<Tensor>({ runtime, Tensor, inputs, device, batch }: OnnxSessionOptions<Tensor>): Session {
  return {
    device,
    batch,
    async run(texts) {
      const dims = [texts.length, paddedLength(Math.max(...texts.map((ids) => ids.length)), batch)] as const;
      const feeds: Record<string, Tensor> = {};
      for (const name of inputs) feeds[name] = new Tensor("int64", inputData(name, texts, dims), dims);
      const { pooled } = await runtime.run(feeds);
      if (!pooled || !(pooled.data instanceof Float32Array)) {
        throw new EncoderError("inference_failed", "The graph returned no float32 tensor named pooled");
      }
      const { data } = pooled;
      const width = data.length / texts.length;
      // Copies, each in a buffer of its own: the runtime may reuse its buffer, and vectors are transferred.
      const vectors = texts.map((_, row) => Float32Array.from(data.subarray(row * width, (row + 1) * width)));
      pooled.dispose();
      return vectors;
    },
    dispose: () => runtime.release(),
  };
}

/** [batch, tokens] int64, padded with zeros, which `attention_mask` masks. */
function inputData(name: string, texts: readonly TokenIds[], [rows, columns]: readonly [number, number]): BigInt64Array {
  const data = new BigInt64Array(rows * columns);
  if (name === "token_type_ids") return data;
  for (const [row, ids] of texts.entries()) {
    for (const [column, id] of ids.entries()) data[row * columns + column] = name === "attention_mask" ? 1n : BigInt(id);
  }
  return data;
}
