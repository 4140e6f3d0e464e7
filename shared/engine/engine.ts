import { EncoderError } from "../errors.ts";
import { type EngineBuild, type EngineExports, instantiate } from "./builds.ts";
import { checkModel, type EngineModel, shape } from "./model.ts";
import { type EngineFiles, loadWeights, type WordTable } from "./weights.ts";

/**
 * Maximum texts and total tokens of a run. Texts have any length and are not padded. A run takes at most the time of one text of 512
 * tokens, which bounds the time that an interactive text waits.
 */
export const runLimits = { texts: 32, tokens: shape.maxTokens } as const;

/** A loaded model. */
export interface Engine {
  readonly build: EngineBuild;
  /** Size of the WebAssembly memory in bytes. It is constant. The word table is stored outside. */
  readonly memoryBytes: number;
  /**
   * Computes the vectors of texts. The bits of a vector depend on its text alone. Before computing anything, throws `empty_input` for a text
   * without tokens, `text_too_long` for more than 512 tokens, and `invalid_request` for a token outside the vocabulary or a run that exceeds
   * {@link runLimits}.
   * @param texts token ids, special tokens included
   * @returns for each text [384] float32, not normalized, in a buffer of its own
   */
  run(texts: readonly (readonly number[])[]): Float32Array<ArrayBuffer>[];
}

/**
 * Loads a model into a new instance of the engine. Rejects with `load_failed` if the model is not supported or memory cannot be allocated,
 * and with `integrity_failed` if a file does not match the model.
 * @example
 * const [first] = await compileBuilds({ plain: await readFile("plain.wasm") });
 * const engine = await loadEngine(first.module, first.build, manifest, files);
 * const [vector] = engine.run([[101, 7592, 102]]);
 */
export async function loadEngine(module: WebAssembly.Module, build: EngineBuild, model: EngineModel, files: EngineFiles): Promise<Engine> {
  checkModel(model);
  const exports = await instantiate(module);
  if (exports.reserve(model.architecture.layers, runLimits.tokens, runLimits.texts) === 0) {
    throw new EncoderError("load_failed", "The WASM engine could not reserve its memory");
  }
  const words = await loadWeights(exports, model, files);
  return { build, memoryBytes: exports.memory.buffer.byteLength, run: runnerOf(exports, model, words) };
}

function runnerOf(exports: EngineExports, { architecture, pooling }: EngineModel, words: WordTable): Engine["run"] {
  const { hidden } = shape;
  // The views stay valid, since the memory does not grow after loading.
  const bytes = new Uint8Array(exports.memory.buffer, exports.wordsAddress(), runLimits.tokens * hidden);
  const scales = new Float32Array(exports.memory.buffer, exports.wordScalesAddress(), runLimits.tokens);
  const ends = new Uint32Array(exports.memory.buffer, exports.textEndsAddress(), runLimits.texts);
  const pooled = new Float32Array(exports.memory.buffer, exports.pooledAddress(), runLimits.texts * hidden);

  return (texts) => {
    checkRun(texts, architecture.vocabulary);
    let row = 0;
    for (const [text, ids] of texts.entries()) {
      for (const id of ids) {
        bytes.set(words.rows.subarray(id * hidden, (id + 1) * hidden), row * hidden);
        scales[row] = words.scales[id] ?? 0;
        row += 1;
      }
      ends[text] = row;
    }
    if (exports.run(texts.length, pooling === "mean" ? 1 : 0) === 0) throw new EncoderError("internal", "The WASM engine rejected a run");
    return texts.map((_, text) => pooled.slice(text * hidden, (text + 1) * hidden));
  };
}

function checkRun(texts: readonly (readonly number[])[], vocabulary: number): void {
  if (texts.length === 0 || texts.length > runLimits.texts) throw tooMuch("texts", runLimits.texts, texts.length);
  let tokens = 0;
  for (const [index, ids] of texts.entries()) {
    const found = ids.length;
    if (found === 0) throw new EncoderError("empty_input", "The text has no tokens", { index });
    if (found > shape.maxTokens) {
      throw new EncoderError("text_too_long", `The text has ${found} tokens; the model takes at most ${shape.maxTokens}`, {
        index,
        limit: shape.maxTokens,
        found,
      });
    }
    if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabulary)) {
      throw new EncoderError("invalid_request", `The text has a token outside the vocabulary of ${vocabulary} tokens`, { index });
    }
    tokens += found;
  }
  if (tokens > runLimits.tokens) throw tooMuch("tokens", runLimits.tokens, tokens);
}

function tooMuch(what: string, limit: number, found: number): EncoderError {
  return new EncoderError("invalid_request", `A run takes 1 to ${limit} ${what}, not ${found}`, { limit, found });
}
