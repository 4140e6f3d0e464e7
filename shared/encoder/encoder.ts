import { EncoderError } from "../errors.ts";
import type { Device } from "./session.ts";
import type { Token, TruncationDirection } from "./tokenizer.ts";

/** What a text is used for. Retrieval models put a different prompt before a query than before a passage. */
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
}

/** The options that determine which tokens of a text reach the model. */
export interface InputOptions {
  /** Default `passage`. */
  readonly inputType?: InputType;
  /** Truncate a text at the model's limit (true, the default) or reject it with `text_too_long`. */
  readonly truncate?: boolean;
  /** The end of a text that is cut off. Default `right`. */
  readonly truncationDirection?: TruncationDirection;
}

export interface CallOptions {
  /** Rejects with `signal.reason`; texts that are still queued are dropped. */
  readonly signal?: AbortSignal;
}

/** Texts and tokens of a call that are done. */
export interface Progress {
  readonly texts: number;
  readonly tokens: number;
}

export interface EmbedOptions extends InputOptions, CallOptions {
  /** L2-normalize the vectors. Default true. */
  readonly normalize?: boolean;
  /** Keep the first dimensions only, and normalize after that. Default: all. */
  readonly dimensions?: number;
  /** Called after each run with what is done so far. */
  readonly onProgress?: (done: Progress) => void;
}

/** Mean times of a call's texts in ms, as Text Embeddings Inference reports them. 0 without texts. */
export interface EmbeddingTime {
  /** From the call to the start of the run that computed the text, loading and tokenization included. */
  readonly queue: number;
  /** The run that computed the text. Texts that share a run each count all of it. */
  readonly inference: number;
}

export interface TokenizeOptions extends CallOptions {
  /** Default `passage`. */
  readonly inputType?: InputType;
  /** Whether the tokens that the tokenizer adds (`[CLS]`, `[SEP]`) are included. Default true. */
  readonly specialTokens?: boolean;
  /** Reject with `too_many_tokens` when the texts have more tokens than this together. Default: no limit. */
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

export interface EncoderInfo {
  readonly state: "idle" | "loading" | "ready" | "failed";
  /** Null until the first load has succeeded. */
  readonly model: Model | null;
  readonly device: Device | null;
  /** Workers that have loaded the model, and how many there should be. */
  readonly workers: { readonly ready: number; readonly size: number };
  /** Texts and estimated tokens that are queued or being computed. */
  readonly pending: Progress;
  /** The error of the last load while `state` is `failed`. */
  readonly error: EncoderError | null;
}

/**
 * Turns texts into vectors. A vector depends on its text and the options alone, never on other texts or load.
 * Every method loads the model when needed. Concurrent first calls share one load; a failed load is retried by the next call.
 */
export interface Encoder {
  /** Loads the model before the first text. Rejects with `load_failed`, `integrity_failed` or `self_test_failed`. */
  load(options?: CallOptions): Promise<Model>;
  /** Rejects with an {@link EncoderError} whose `details.index` is the index of the text, or with `signal.reason`. */
  embed(texts: string | readonly string[], options?: EmbedOptions): Promise<Embeddings>;
  /** The tokens of each text before truncation, those of its prompt included. */
  tokenize(texts: string | readonly string[], options?: TokenizeOptions): Promise<Token[][]>;
  /** The current state, synchronously. */
  info(): EncoderInfo;
  /** Frees the model. Pending calls reject with `disposed`; the next call loads it again. */
  dispose(): Promise<void>;
}

/** The requested number of dimensions, or all. Throws `invalid_dimensions`. */
export function checkDimensions(dimensions: number | undefined, model: Model): number {
  if (dimensions === undefined) return model.dimensions;
  if (Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= model.dimensions) return dimensions;
  throw new EncoderError("invalid_dimensions", `dimensions must be an integer from 1 to ${model.dimensions}, not ${dimensions}`, {
    limit: model.dimensions,
    found: dimensions,
  });
}

/**
 * A list of texts. Throws `lone_surrogate` for a text that has no UTF-8 form, since every platform would replace the surrogate in its
 * own way.
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

/** The mean of the texts' times. */
export function meanTime(times: readonly EmbeddingTime[]): EmbeddingTime {
  const mean = (part: keyof EmbeddingTime) => times.reduce((sum, time) => sum + time[part], 0) / Math.max(1, times.length);
  return { queue: mean("queue"), inference: mean("inference") };
}

/** The rejection of calls that are pending when their encoder is disposed. */
export const disposedError = () => new EncoderError("disposed", "The encoder was disposed before this call completed");
