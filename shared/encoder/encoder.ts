import { EncoderError } from "../errors.ts";
import type { Device } from "./session.ts";
import type { Token, TruncationDirection } from "./tokenizer.ts";

/** The use of a text. Retrieval models prepend different prompts to queries and passages. */
export type InputType = "passage" | "query";

/** The public properties of a model. */
export interface Model {
  readonly id: string;
  /** SHA-256 over everything that determines a vector. Vectors of two fingerprints must not be compared. */
  readonly fingerprint: string;
  readonly dimensions: number;
  /** Maximum tokens of a text, special tokens and prompt included. */
  readonly maxTokens: number;
  readonly pooling: "cls" | "mean";
  readonly prompts: { readonly [inputType in InputType]: string };
  /** How its cosines map to a relevance. Absent for hub models, whose cosines nobody has calibrated. */
  readonly relevance?: RelevanceCalibration;
}

/** The relevance is `1 / (1 + exp(-slope * (cosine - background - center)))`: see index/relevance.ts. */
export interface RelevanceCalibration {
  readonly center: number;
  readonly slope: number;
  /** The mean cosine of a query with unrelated passages, where no such passages are at hand. */
  readonly background: number;
}

/** The options that determine the tokens of a text. */
export interface InputOptions {
  /** Default `passage`. */
  readonly inputType?: InputType;
  /** Truncate a text at the model's limit (true, the default) or reject it with `text_too_long`. */
  readonly truncate?: boolean;
  /** The end of a text that is truncated. Default `right`. */
  readonly truncationDirection?: TruncationDirection;
}

/** Options of every call. */
export interface CallOptions {
  /** Rejects with `signal.reason`; texts that are still queued are dropped. */
  readonly signal?: AbortSignal;
}

/** Numbers of texts and tokens. */
export interface Progress {
  readonly texts: number;
  readonly tokens: number;
}

/** Options of {@link Encoder.embed}. */
export interface EmbedOptions extends InputOptions, CallOptions {
  /** L2-normalize the vectors. Default true. */
  readonly normalize?: boolean;
  /** Number of leading dimensions to keep, before normalization. Default: all. */
  readonly dimensions?: number;
  /** Called after each run with the texts and tokens of this call that are computed. */
  readonly onProgress?: (done: Progress) => void;
}

/** Mean times of a call's texts in ms, as Text Embeddings Inference reports them. 0 without texts. */
export interface EmbeddingTime {
  /** From the call to the start of the run that computed the text, loading and tokenization included. */
  readonly queue: number;
  /** The run that computed the text. Each text of a run counts its full time. */
  readonly inference: number;
}

/** Options of {@link Encoder.tokenize}. */
export interface TokenizeOptions extends CallOptions {
  /** Default `passage`. */
  readonly inputType?: InputType;
  /** Whether the tokens that the tokenizer adds (`[CLS]`, `[SEP]`) are included. Default true. */
  readonly specialTokens?: boolean;
  /** Maximum total tokens of the texts. More are rejected with `too_many_tokens`. Default: no limit. */
  readonly maxTokens?: number;
}

/** One entry per text, in input order, and the time of the call. */
export interface Embeddings {
  /** Each `[dimensions]` float32 in a buffer of its own, L2-normalized unless `normalize` is false. */
  readonly vectors: Float32Array<ArrayBuffer>[];
  /** Computed tokens of each text: special tokens and prompt included, after truncation. */
  readonly tokens: number[];
  /** Tokens cut off from each text; 0 where the text fits. */
  readonly truncated: number[];
  readonly time: EmbeddingTime;
}

/** The state of an encoder. */
export interface EncoderInfo {
  readonly state: "idle" | "loading" | "ready" | "failed";
  /** Null until the first load has succeeded. */
  readonly model: Model | null;
  readonly device: Device | null;
  /** Number of workers that have loaded the model, and the intended number. */
  readonly workers: { readonly ready: number; readonly size: number };
  /** Texts and estimated tokens that are queued or being computed. */
  readonly pending: Progress;
  /** The error of the last load while `state` is `failed`. */
  readonly error: EncoderError | null;
}

/**
 * Turns texts into vectors. A vector depends only on its text and the options, never on other texts or load.
 * Every method loads the model when needed. Concurrent first calls share one load; a failed load is retried by the next call.
 * @example
 * const { vectors } = await encoder.embed(["The tide comes in twice a day."]);
 * const query = await encoder.embed("why does the sea come and go", { inputType: "query" });
 */
export interface Encoder {
  /** Loads the model before the first text. Rejects with `load_failed`, `integrity_failed` or `self_test_failed`. */
  load(options?: CallOptions): Promise<Model>;
  /** Rejects with an {@link EncoderError} whose `details.index` is the index of the text, or with `signal.reason`. */
  embed(texts: string | readonly string[], options?: EmbedOptions): Promise<Embeddings>;
  /** The tokens of each text, prompt included, without truncation. Rejects as `embed`, and with `too_many_tokens`. */
  tokenize(texts: string | readonly string[], options?: TokenizeOptions): Promise<Token[][]>;
  /** The current state, synchronously. */
  info(): EncoderInfo;
  /** Frees the model. Pending calls reject with `disposed`; the next call loads it again. */
  dispose(): Promise<void>;
}

/** Returns the requested number of dimensions, or all. Throws `invalid_dimensions`. */
export function checkDimensions(dimensions: number | undefined, model: Model): number {
  if (dimensions === undefined) return model.dimensions;
  if (Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= model.dimensions) return dimensions;
  throw new EncoderError("invalid_dimensions", `dimensions must be an integer from 1 to ${model.dimensions}, not ${dimensions}`, {
    limit: model.dimensions,
    found: dimensions,
  });
}

/**
 * Returns the texts as a list. Throws `lone_surrogate` for a text that is not well-formed: it has no UTF-8 form, and platforms replace
 * the surrogate differently.
 */
export function textList(texts: string | readonly string[]): readonly string[] {
  const list = typeof texts === "string" ? [texts] : texts;
  for (const [index, text] of list.entries()) {
    if (!text.isWellFormed()) {
      throw new EncoderError("lone_surrogate", "The text has a lone surrogate (half of a UTF-16 pair): it is not valid Unicode", { index });
    }
  }
  return list;
}

/** The mean of several times; 0 without times. */
export function meanTime(times: readonly EmbeddingTime[]): EmbeddingTime {
  const mean = (part: keyof EmbeddingTime) => times.reduce((sum, time) => sum + time[part], 0) / Math.max(1, times.length);
  return { queue: mean("queue"), inference: mean("inference") };
}

/** The rejection of calls that are pending when their encoder is disposed. */
export const disposedError = () => new EncoderError("disposed", "The encoder was disposed before this call completed");
