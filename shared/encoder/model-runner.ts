import { EncoderError } from "../errors.ts";
import { cosineSimilarity, finishVector } from "../vector.ts";
import type { InputOptions, InputType, Model, TokenizeOptions } from "./encoder.ts";
import { type Session, type TokenIds, textsOfRun } from "./session.ts";
import { cutTokens, type Token, type Tokenizer } from "./tokenizer.ts";

/** Texts with expected vectors on this device. */
export interface SelfTest {
  /** Minimum cosine to the expected vector; `exact` if the bits must be equal. */
  readonly minCosine: number | "exact";
  /** L2-normalized vectors. */
  readonly rows: readonly { readonly inputType: InputType; readonly text: string; readonly vector: Float32Array }[];
}

/** A loaded model whose self-test has not run yet. */
export interface OpenedModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly session: Session;
  /** Null for a model without expected vectors. */
  readonly selfTest: SelfTest | null;
  /** Opens the model in another way, if this one fails its self-test. Null if there is no other way. */
  readonly otherwise: OpenModel | null;
}

/** Loads a model into a session of this platform. */
export type OpenModel = () => Promise<OpenedModel>;

/** A text, with the options that determine its tokens. */
export interface EmbedItem extends InputOptions {
  readonly text: string;
}

/** A tokenized text: see {@link ModelRunner.prepare}. */
export interface ModelInput {
  readonly ids: TokenIds;
  /** Number of tokens removed by truncation. */
  readonly truncated: number;
}

/** A model that has passed its self-test. Its owner starts one run at a time. */
export interface ModelRunner extends Pick<OpenedModel, "model" | "session"> {
  /** Tokenizes and truncates a text. Throws `text_too_long`. */
  prepare(item: EmbedItem): ModelInput;
  /**
   * Computes the first inputs, as many as fit into one run: at least one. Rejects with `inference_failed`.
   * @returns for each computed input `[dimensions]` float32, not normalized, in a buffer of its own
   */
  run(inputs: readonly ModelInput[]): Promise<Float32Array<ArrayBuffer>[]>;
  /** Throws `too_many_tokens`. */
  tokenize(text: string, options: Omit<TokenizeOptions, "signal">): Token[];
}

/**
 * Opens a model and runs its self-test. If the test fails, the session is disposed and the model is opened in the next way: see
 * {@link OpenedModel.otherwise}. Rejects with `load_failed`, `integrity_failed`, `device_unavailable` or `self_test_failed`.
 * @example
 * const runner = await openModelRunner(openWasmModel({ manifest, load, modules }));
 * const [vector] = await runner.run([runner.prepare({ text: "how tides work" })]);
 */
export async function openModelRunner(open: OpenModel): Promise<ModelRunner> {
  try {
    for (let next = open; ; ) {
      const opened = await next();
      const failure = await selfTestFailure(opened);
      if (!failure) return runnerOf(opened);
      await opened.session.dispose();
      if (!opened.otherwise) throw failure;
      next = opened.otherwise;
    }
  } catch (error) {
    throw EncoderError.from(error, "load_failed");
  }
}

function runnerOf({ model, tokenizer, session }: OpenedModel): ModelRunner {
  return {
    model,
    session,

    prepare({ text, inputType = "passage", truncate = true, truncationDirection = "right" }) {
      const ids = tokenizer.encode(model.prompts[inputType] + text);
      if (!truncate && ids.length > model.maxTokens) {
        throw new EncoderError("text_too_long", `The text has ${ids.length} tokens; the model takes at most ${model.maxTokens}`, {
          limit: model.maxTokens,
          found: ids.length,
        });
      }
      const cut = cutTokens(ids, model.maxTokens, truncationDirection);
      return { ids: cut, truncated: ids.length - cut.length };
    },

    async run(inputs) {
      const lengths = inputs.map(({ ids }) => ids.length);
      const batch = inputs.slice(0, textsOfRun(lengths, session.batch)).map(({ ids }) => ids);
      try {
        const vectors = await session.run(batch);
        if (vectors.length < batch.length) throw new EncoderError("inference_failed", "The session returned fewer vectors than texts");
        // A lost GPU device returns NaN instead of an error.
        if (!vectors.every((vector) => vector.every(Number.isFinite))) {
          throw new EncoderError("inference_failed", "The model returned a vector that is not finite");
        }
        return vectors;
      } catch (error) {
        throw EncoderError.from(error, "inference_failed");
      }
    },

    tokenize(text, { inputType = "passage", specialTokens = true, maxTokens = Number.POSITIVE_INFINITY }) {
      const tokens = tokenizer.tokenize(text, { prompt: model.prompts[inputType], specialTokens });
      if (tokens.length > maxTokens) throw tooManyTokens(maxTokens);
      return tokens;
    },
  };
}

/** The rejection of texts with more tokens than the limit of the call. */
export function tooManyTokens(limit: number): EncoderError {
  return new EncoderError("too_many_tokens", `The texts have more than ${limit} tokens, the limit of a request`, { limit });
}

/** Null if the session returns the expected vectors. */
async function selfTestFailure({ model, tokenizer, session, selfTest }: OpenedModel): Promise<EncoderError | null> {
  if (!selfTest) return null;
  const { minCosine, rows } = selfTest;
  const failure = (what: string, reason: string, cause?: unknown) =>
    new EncoderError("self_test_failed", `The model ${model.id} ${what} on this device (${session.device}): ${reason}`, {}, { cause });
  try {
    for (const { inputType, text, vector } of rows) {
      const [pooled] = await session.run([tokenizer.encode(model.prompts[inputType] + text)]);
      const found = pooled && finishVector(pooled, vector.length, true);
      const cosine = found ? cosineSimilarity(found, vector) : Number.NaN;
      const right = minCosine === "exact" ? found?.every((component, i) => component === vector[i]) : cosine >= minCosine;
      if (right) continue;
      const bound = minCosine === "exact" ? "its bits differ from the expected vector" : `below ${minCosine}`;
      return failure("returns wrong vectors", `a self-test text has a cosine of ${cosine.toFixed(6)}, ${bound}`);
    }
  } catch (error) {
    return failure("fails its self-test", error instanceof Error ? error.message : String(error), error);
  }
  return null;
}
