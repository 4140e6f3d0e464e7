import { EncoderError } from "../errors.ts";
import type { EngineExports } from "./builds.ts";
import { type Architecture, type EngineModel, matricesPerLayer, matrixWidth, parameterCount, shape } from "./model.ts";

/** The files from which the engine loads a model. */
export interface EngineFiles {
  /** Name of engine.bin, which contains all floats in the order of `models/build/engine.py`. */
  readonly parameters: string;
  /** Names of the shards of int8 weights, in order. */
  readonly shards: readonly string[];
  /** Returns the bytes of a file, verified by the manifest. */
  load(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Called with bytes that are no longer needed, for hosts with little memory. */
  release?(bytes: Uint8Array<ArrayBuffer>): void;
}

/**
 * The dense parts of a layer in the order of the shards, each [inputs, outputs] int8 in units of `matrixWidth`. `matrix` is the index of the
 * first packed matrix.
 */
const parts = [
  { part: "query", inputs: 1, outputs: 1, matrix: 2 },
  { part: "key", inputs: 1, outputs: 1, matrix: 0 },
  { part: "value", inputs: 1, outputs: 1, matrix: 1 },
  { part: "attention_output", inputs: 1, outputs: 1, matrix: 3 },
  { part: "intermediate", inputs: 1, outputs: 4, matrix: 4 },
  { part: "output", inputs: 4, outputs: 1, matrix: 8 },
] as const;

/** Word embeddings: int8 rows, with one scale per row. */
export interface WordTable {
  readonly rows: Uint8Array;
  readonly scales: Float32Array;
}

/** Writes a model into the engine's memory. Returns the word table, which is not copied. Rejects with `integrity_failed`. */
export async function loadWeights(engine: EngineExports, { architecture }: EngineModel, files: EngineFiles): Promise<WordTable> {
  const scales = await loadParameters(engine, architecture, files);
  const memory = new Uint8Array(engine.memory.buffer);
  const scratch = engine.scratchAddress();
  const stream = new WeightStream(files);
  for (let layer = 0; layer < architecture.layers; layer++) {
    for (const { part, inputs, outputs, matrix } of parts) {
      const [rows, columns] = [inputs * matrixWidth, outputs * matrixWidth];
      memory.set(await stream.next(rows * columns, `layer ${layer}, ${part}`), scratch);
      let index = layer * matricesPerLayer + matrix;
      for (let row = 0; row < rows; row += matrixWidth) {
        for (let column = 0; column < columns; column += matrixWidth) engine.pack(scratch + row * columns + column, columns, index++);
      }
    }
  }
  memory.set(await stream.next(shape.maxTokens * shape.hidden, "positions"), engine.positionsAddress());
  const rows = await stream.next(architecture.vocabulary * shape.hidden, "words");
  stream.end();
  return { rows, scales };
}

/** Writes the floats of engine.bin. Returns the word scales. */
async function loadParameters(engine: EngineExports, architecture: Architecture, files: EngineFiles): Promise<Float32Array> {
  const { parameters: name } = files;
  const bytes = await files.load(name);
  const count = parameterCount(architecture);
  const expected = (count + architecture.vocabulary) * Float32Array.BYTES_PER_ELEMENT;
  if (bytes.byteLength !== expected) {
    throw new EncoderError("integrity_failed", `${name} has ${bytes.byteLength} bytes; this model needs ${expected}`, {
      limit: expected,
      found: bytes.byteLength,
    });
  }
  // A copy is aligned, whatever the offset of the bytes in their buffer.
  const floats = new Float32Array(bytes.slice().buffer);
  if (!floats.every(Number.isFinite)) throw new EncoderError("integrity_failed", `${name} contains a number that is not finite`);
  new Float32Array(engine.memory.buffer, engine.parametersAddress(), count).set(floats.subarray(0, count));
  files.release?.(bytes);
  return floats.slice(count);
}

/** Reads tensors of known sizes in sequence. A tensor never spans two shards. */
class WeightStream {
  readonly #files: EngineFiles;
  #shard = new Uint8Array(0);
  #name = "";
  #offset = 0;
  #nextShard = 0;

  constructor(files: EngineFiles) {
    this.#files = files;
  }

  /** Returns the next tensor as a view of its shard, valid until the next call. Rejects with `integrity_failed`. */
  async next(bytes: number, tensor: string): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#offset === this.#shard.byteLength) await this.#open(tensor);
    const left = this.#shard.byteLength - this.#offset;
    if (left < bytes) {
      throw new EncoderError("integrity_failed", `${this.#name} has ${left} bytes of ${tensor}; this model needs ${bytes}`, {
        limit: bytes,
        found: left,
      });
    }
    const start = this.#offset;
    this.#offset += bytes;
    return this.#shard.subarray(start, start + bytes);
  }

  /** Throws `integrity_failed` if bytes remain. */
  end(): void {
    const left = this.#shard.byteLength - this.#offset;
    if (left > 0) throw new EncoderError("integrity_failed", `${this.#name} has ${left} bytes more than this model needs`);
    const unread = this.#files.shards[this.#nextShard];
    if (unread !== undefined) throw new EncoderError("integrity_failed", `This model does not need ${unread}`);
  }

  async #open(tensor: string): Promise<void> {
    const name = this.#files.shards[this.#nextShard];
    if (name === undefined) throw new EncoderError("integrity_failed", `The model's files have no weights for ${tensor}`);
    if (this.#nextShard > 0) this.#files.release?.(this.#shard);
    this.#shard = await this.#files.load(name);
    this.#name = name;
    this.#offset = 0;
    this.#nextShard += 1;
  }
}
