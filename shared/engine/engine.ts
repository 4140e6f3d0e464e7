import { EncoderError } from "../errors.ts";
import { type EngineBuild, type EngineExports, instantiate } from "./builds.ts";
import { checkModel, type EngineModel, shape } from "./model.ts";
import { type EngineFiles, loadWeights, type WordTable } from "./weights.ts";

/**
 * The most that shares a run: texts of any lengths, whose tokens stand one after the other without padding. A run takes no longer than
 * one text of 512 tokens, so that no interactive text waits longer for it.
 */
export const runLimits = { texts: 32, tokens: shape.maxTokens } as const;

/** A loaded model. */
export interface Engine {
  readonly build: EngineBuild;
  /** Bytes of WebAssembly memory, which do not change. The word table lies outside it. */
  readonly memoryBytes: number;
  /**
   * Computes the vectors of some texts, within {@link runLimits}. A vector's bits depend on its text alone.
   * @param texts token ids, special tokens included
   * @returns for each text [384] float32, not normalized, in a buffer of its own
   * Throws, before anything is computed: `empty_input` for a text without tokens, `text_too_long` for one of more than 512,
   * `invalid_request` for a token that is not in the vocabulary or for more than a run takes.
   */
  run(texts: readonly (readonly number[])[]): Float32Array<ArrayBuffer>[];
}

/**
 * Loads a model into a new instance of the engine. Rejects with `load_failed` where the model or the memory is not right for it, with
 * `integrity_failed` where a file is. Nothing is left of an instance that was refused.
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
  // Views of a memory that does not grow any more.
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
    if (exports.run(texts.length, pooling === "mean" ? 1 : 0) === 0) throw new EncoderError("internal", "The WASM engine refused a run");
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
      throw new EncoderError("invalid_request", `The text has a token that is not in the vocabulary of ${vocabulary}`, { index });
    }
    tokens += found;
  }
  if (tokens > runLimits.tokens) throw tooMuch("tokens", runLimits.tokens, tokens);
}

function tooMuch(what: string, limit: number, found: number): EncoderError {
  return new EncoderError("invalid_request", `A run takes 1 to ${limit} ${what}, not ${found}`, { limit, found });
}
