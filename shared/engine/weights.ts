import { EncoderError } from "../errors.ts";
import type { EngineExports } from "./builds.ts";
import { type Architecture, type EngineModel, matricesPerLayer, matrixWidth, parameterCount, shape } from "./model.ts";

/** Where the engine reads a model from. */
export interface EngineFiles {
  /** The name of engine.bin: all floats, in the order of `models/build/engine.py`. */
  readonly parameters: string;
  /** The names of the shards of int8 weights, in order. */
  readonly shards: readonly string[];
  /** Gives a file's bytes, checked against the manifest. */
  load(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Told of bytes that are not needed any more, where memory is short. */
  release?(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The dense parts of a layer in the order of the shards, each [inputs, outputs] int8: the index of its first packed matrix. */
const parts = [
  { part: "query", inputs: 1, outputs: 1, matrix: 2 },
  { part: "key", inputs: 1, outputs: 1, matrix: 0 },
  { part: "value", inputs: 1, outputs: 1, matrix: 1 },
  { part: "attention_output", inputs: 1, outputs: 1, matrix: 3 },
  { part: "intermediate", inputs: 1, outputs: 4, matrix: 4 },
  { part: "output", inputs: 4, outputs: 1, matrix: 8 },
] as const;

/** The word table: rows of int8, and a scale for each row. */
export interface WordTable {
  readonly rows: Uint8Array;
  readonly scales: Float32Array;
}

/** Writes a model into an engine's memory. Returns the word table, which stays outside of it. */
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

/** Writes the floats of engine.bin. Returns the scales of the words. */
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
  // A copy, which is aligned wherever the bytes stand in their buffer.
  const floats = new Float32Array(bytes.slice().buffer);
  if (!floats.every(Number.isFinite)) throw new EncoderError("integrity_failed", `${name} has a number that is not finite`);
  new Float32Array(engine.memory.buffer, engine.parametersAddress(), count).set(floats.subarray(0, count));
  files.release?.(bytes);
  return floats.slice(count);
}

/** Tensors of known sizes, one after the other, from shards of which each holds whole tensors. */
class WeightStream {
  readonly #files: EngineFiles;
  #shard = new Uint8Array(0);
  #name = "";
  #offset = 0;
  #nextShard = 0;

  constructor(files: EngineFiles) {
    this.#files = files;
  }

  /** The next tensor, in the shard's own memory: it is gone with the call after. */
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

  /** Refuses bytes that no tensor took. */
  end(): void {
    const left = this.#shard.byteLength - this.#offset;
    if (left > 0) throw new EncoderError("integrity_failed", `${this.#name} has ${left} bytes more than this model needs`);
    const unread = this.#files.shards[this.#nextShard];
    if (unread !== undefined) throw new EncoderError("integrity_failed", `This model needs nothing of ${unread}`);
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
