import { EncoderError } from "../errors.ts";
import { type Device, type Session, type TokenIds, textsOfRun } from "./session.ts";
import { cutTokens, type Token, type Tokenizer, type TruncationDirection } from "./tokenizer.ts";

/** What a text is for: retrieval models put another prompt before a question than before what answers it. */
export type Kind = "passage" | "query";

/** What a caller may know of a model. */
export interface Model {
  readonly id: string;
  /** SHA-256 over everything that decides a vector. Vectors of two fingerprints must not be compared. */
  readonly fingerprint: string;
  readonly dimensions: number;
  /** The most tokens of a text, special tokens and prompt included. */
  readonly maxTokens: number;
  readonly pooling: "cls" | "mean";
  readonly prompts: { readonly [kind in Kind]: string };
}

/** How one text is turned into a vector. */
export interface TextOptions {
  /** Default `passage`. */
  readonly kind?: Kind;
  /** L2-normalize the vector. Default true. */
  readonly normalize?: boolean;
  /** Keep the first so many dimensions (before normalizing). Default all. */
  readonly dimensions?: number;
  /** Cut a text at the model's limit (true, the default) or refuse it with `text_too_long`. */
  readonly truncate?: boolean;
  /** The end of a text that is cut off. Default `right`. */
  readonly truncationDirection?: TruncationDirection;
}

export interface CallOptions {
  /** Rejects with `signal.reason`; texts that have not been started are dropped. */
  readonly signal?: AbortSignal;
}

interface Progress {
  readonly texts: number;
  readonly tokens: number;
}

export interface EmbedOptions extends TextOptions, CallOptions {
  /** Told after each run: texts and tokens done so far. */
  readonly onProgress?: (done: Progress) => void;
}

/** How long the texts of a call took, in ms: the mean over its texts, as Text Embeddings Inference tells it. 0 without texts. */
export interface EmbeddingTime {
  /** From the call until the run that computed the text began: the model's load and tokenization are part of it. */
  readonly queue: number;
  /** The run that computed the text, all of it where texts share a run. */
  readonly inference: number;
}

export interface TokenizeOptions extends CallOptions {
  /** Default `passage`. */
  readonly kind?: Kind;
  /** Whether what the tokenizer puts around a text (`[CLS]`, `[SEP]`) is among its tokens. Default true. */
  readonly specialTokens?: boolean;
}

/** Three lists in input order, and what the call took. */
export interface Embeddings {
  /** Each [dimensions] float32, in a buffer of its own. */
  readonly vectors: Float32Array<ArrayBuffer>[];
  /** Tokens computed per text: special tokens and prompt included, after any cut. */
  readonly tokens: number[];
  /** Tokens cut off per text: 0 where the text fitted. */
  readonly truncated: number[];
  readonly time: EmbeddingTime;
}

export interface EncoderInfo {
  readonly state: "idle" | "loading" | "ready" | "failed";
  /** Null until the first load has succeeded. */
  readonly model: Model | null;
  readonly device: Device | null;
  /** Sessions that can answer now, and how many there should be. */
  readonly workers: { readonly ready: number; readonly size: number };
  /** Why the last load failed, while `state` is `failed`. */
  readonly error: EncoderError | null;
}

/**
 * Texts to vectors. One text, one vector: it depends on the text and the options alone, never on the call it came in.
 * Every method loads the model when it must; concurrent first calls share one load, and a failed load is forgotten.
 */
export interface Encoder {
  /** Loads the model ahead of the first text. Rejects with `load_failed`, `integrity_failed` or `self_test_failed`. */
  load(options?: CallOptions): Promise<Model>;
  /** Rejects with an {@link EncoderError} whose `details.index` names the text, or with `signal.reason`. */
  embed(texts: string | readonly string[], options?: EmbedOptions): Promise<Embeddings>;
  /** The tokens of each text before any cut, its prompt's among them. */
  tokenize(texts: string | readonly string[], options?: TokenizeOptions): Promise<Token[][]>;
  /** The state as it is, at once. */
  info(): EncoderInfo;
  /** Frees the model. Calls still waiting reject with `disposed`; the next call loads it again. */
  dispose(): Promise<void>;
}

/** Texts whose vectors on this device are known. */
export interface SelfTest {
  /** The least cosine to a known vector; `exact` where a session must give the same bits. */
  readonly minCosine: number | "exact";
  /** L2-normalized vectors. */
  readonly rows: readonly { readonly kind: Kind; readonly text: string; readonly vector: Float32Array }[];
}

export interface OpenedModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly session: Session;
  /** Null for a model of which no vector is known. */
  readonly selfTest: SelfTest | null;
  /** Opens the model in another way, which may give right vectors where this one gives wrong ones. Null where there is none. */
  readonly otherwise: OpenModel | null;
}

/** Loads a model into a session of this platform. */
export type OpenModel = () => Promise<OpenedModel>;

export interface SessionEncoderOptions {
  /**
   * Whether `embed` computes only as many texts, from the first on, as share a run, and gives as many results: for a worker, whose pool
   * hands it the rest when it is their turn. Default false: it computes all, and other tasks of this thread run between two runs.
   */
  readonly oneRunPerCall?: boolean;
  /** The most tokens of one call to `embed`, after truncation. More are refused with `too_many_tokens`. Default: no limit. */
  readonly maxCallTokens?: number;
}

/** The encoder that lives in a worker or an isolate: one session, one run at a time. */
export function createSessionEncoder(open: OpenModel, { oneRunPerCall = false, maxCallTokens }: SessionEncoderOptions = {}): Encoder {
  let opened: Promise<OpenedModel> | null = null;
  let ready: OpenedModel | null = null;
  let model: Model | null = null;
  let loadError: EncoderError | null = null;
  let lastRun: Promise<unknown> = Promise.resolve();

  const openOnce = (): Promise<OpenedModel> => {
    if (opened) return opened;
    loadError = null;
    const opening = openTested(open);
    opened = opening;
    opening.then(
      (result) => {
        model = result.model;
        if (opened === opening) ready = result;
      },
      (error) => {
        if (opened !== opening) return;
        opened = null;
        loadError = error;
      },
    );
    return opening;
  };

  /** Runs `task` after all tasks before it, whether they succeeded or not. */
  const serialized = <T>(task: () => Promise<T>): Promise<T> => {
    const run = lastRun.then(task, task);
    lastRun = run.catch(() => {});
    return run;
  };

  const embedAll = async (texts: readonly string[], options: EmbedOptions): Promise<Embeddings> => {
    const called = performance.now();
    const opening = openOnce();
    const { model, tokenizer, session } = await opening;
    const dimensions = checkDimensions(options.dimensions, model);
    const { sequences, truncated } = tokenizeAll(texts, options, model, tokenizer);
    if (maxCallTokens !== undefined) refuseBeyond(maxCallTokens, sequences);
    const tokens = sequences.map((ids) => ids.length);
    const vectors: Float32Array<ArrayBuffer>[] = [];
    const done = { texts: 0, tokens: 0 };
    const times: EmbeddingTime[] = [];
    while (vectors.length < texts.length) {
      if (vectors.length > 0 && oneRunPerCall) break;
      if (vectors.length > 0) await nextTurn();
      options.signal?.throwIfAborted();
      const batch = sequences.slice(vectors.length, vectors.length + textsOfRun(tokens, session.batch, vectors.length));
      const { pooled, time } = await serialized(async () => {
        if (opened !== opening) throw disposedError();
        const began = performance.now();
        const pooled = await runSession(session, batch, vectors.length);
        return { pooled, time: { queue: began - called, inference: performance.now() - began } };
      });
      for (const [place, ids] of batch.entries()) {
        const vector = pooled[place];
        if (!vector) throw new EncoderError("inference_failed", "The session returned fewer vectors than texts");
        vectors.push(finishVector(vector, dimensions, options.normalize ?? true));
        times.push(time);
        done.texts += 1;
        done.tokens += ids.length;
      }
      options.onProgress?.({ ...done });
    }
    const { length } = vectors;
    return { vectors, tokens: tokens.slice(0, length), truncated: truncated.slice(0, length), time: meanTime(times) };
  };

  return {
    load: async ({ signal } = {}) => (await abortable(openOnce(), signal)).model,

    async embed(texts, options = {}) {
      const list = textList(texts);
      return abortable(embedAll(list, options), options.signal);
    },

    async tokenize(texts, { kind = "passage", specialTokens = true, signal } = {}) {
      const list = textList(texts);
      const { model, tokenizer } = await abortable(openOnce(), signal);
      return list.map((text) => tokenizer.tokenize(text, { prompt: model.prompts[kind], specialTokens }));
    },

    info: () => ({
      state: ready ? "ready" : opened ? "loading" : loadError ? "failed" : "idle",
      model,
      device: ready?.session.device ?? null,
      workers: { ready: ready ? 1 : 0, size: 1 },
      error: loadError,
    }),

    async dispose() {
      const closing = opened;
      opened = null;
      ready = null;
      loadError = null;
      const session = (await closing?.catch(() => null))?.session;
      if (session) await serialized(() => session.dispose());
    },
  };
}

/** Opens the model and proves it; where it gives wrong vectors, in the other ways that there are. */
async function openTested(open: OpenModel): Promise<OpenedModel> {
  try {
    for (let next = open; ; ) {
      const opened = await next();
      const miss = await selfTestMiss(opened);
      if (!miss) return opened;
      await opened.session.dispose();
      if (!opened.otherwise) throw miss;
      next = opened.otherwise;
    }
  } catch (error) {
    throw EncoderError.from(error, "load_failed");
  }
}

/** Null when the session gives the vectors that the model is known by; else the refusal. */
async function selfTestMiss({ model, tokenizer, session, selfTest }: OpenedModel): Promise<EncoderError | null> {
  if (!selfTest) return null;
  const { minCosine, rows } = selfTest;
  const refusal = (what: string, reason: string, cause?: unknown) =>
    new EncoderError("self_test_failed", `The model ${model.id} ${what} on this device (${session.device}): ${reason}`, {}, { cause });
  try {
    for (const { kind, text, vector } of rows) {
      const [pooled] = await session.run([tokenizer.encode(model.prompts[kind] + text)]);
      const found = pooled && finishVector(pooled, vector.length, true);
      const cosine = found ? cosineSimilarity(found, vector) : Number.NaN;
      const right = minCosine === "exact" ? found?.every((component, i) => component === vector[i]) : cosine >= minCosine;
      if (right) continue;
      const bound = minCosine === "exact" ? "other bits than the known ones" : `below ${minCosine}`;
      return refusal("gives wrong vectors", `a self-test text has a cosine of ${cosine.toFixed(6)}, ${bound}`);
    }
  } catch (error) {
    return refusal("fails its self-test", error instanceof Error ? error.message : String(error), error);
  }
  return null;
}

/** @param first index of the run's first text in its call */
async function runSession(session: Session, batch: readonly TokenIds[], first: number): Promise<Float32Array<ArrayBuffer>[]> {
  try {
    return await session.run(batch);
  } catch (error) {
    const failure = EncoderError.from(error, "inference_failed");
    const { index } = failure.details;
    throw index === undefined ? failure : failure.at(first + index);
  }
}

function tokenizeAll(texts: readonly string[], options: TextOptions, model: Model, tokenizer: Tokenizer) {
  const { kind = "passage", truncate = true, truncationDirection = "right" } = options;
  const sequences: TokenIds[] = [];
  const truncated: number[] = [];
  for (const [index, text] of texts.entries()) {
    const ids = tokenizer.encode(model.prompts[kind] + text);
    if (!truncate && ids.length > model.maxTokens) {
      throw new EncoderError("text_too_long", `The text has ${ids.length} tokens; the model takes at most ${model.maxTokens}`, {
        index,
        limit: model.maxTokens,
        found: ids.length,
      });
    }
    const cut = cutTokens(ids, model.maxTokens, truncationDirection);
    sequences.push(cut);
    truncated.push(ids.length - cut.length);
  }
  return { sequences, truncated };
}

function refuseBeyond(limit: number, sequences: readonly TokenIds[]): void {
  const found = sequences.reduce((sum, { length }) => sum + length, 0);
  if (found <= limit) return;
  throw new EncoderError("too_many_tokens", `The texts have ${found} tokens; a request takes at most ${limit}`, { limit, found });
}

/** The vector as asked for, in the buffer of `pooled` unless it is cut. Refuses one that is not finite: a lost GPU device gives NaN instead of an error. */
export function finishVector(pooled: Float32Array<ArrayBuffer>, dimensions: number, normalize: boolean): Float32Array<ArrayBuffer> {
  const vector = dimensions < pooled.length ? pooled.slice(0, dimensions) : pooled;
  let squares = 0;
  for (const component of vector) squares += component * component;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) throw new EncoderError("inference_failed", "The model returned a vector that is not finite");
  if (normalize && norm > 0) for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) / norm;
  return vector;
}

/** The dimensions asked for, or all. Throws `invalid_dimensions`. */
export function checkDimensions(dimensions: number | undefined, model: Model): number {
  if (dimensions === undefined) return model.dimensions;
  if (Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= model.dimensions) return dimensions;
  throw new EncoderError("invalid_dimensions", `dimensions must be a whole number from 1 to ${model.dimensions}, not ${dimensions}`, {
    limit: model.dimensions,
    found: dimensions,
  });
}

/**
 * One text or many as a list of its own. Refuses lone surrogates with `lone_surrogate`: they have no UTF-8 form, so
 * every platform would replace them in its own way.
 */
export function textList(texts: string | readonly string[]): string[] {
  const list = typeof texts === "string" ? [texts] : [...texts];
  for (const [index, text] of list.entries()) {
    if (!text.isWellFormed()) {
      throw new EncoderError("lone_surrogate", `The text has a lone surrogate (half of a UTF-16 pair): it is not valid Unicode`, { index });
    }
  }
  return list;
}

/** `promise`, or a rejection with `signal.reason` as soon as the signal aborts. The work behind `promise` goes on. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Cosine of the angle between two vectors of one length. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return dot / Math.sqrt(squaresA * squaresB);
}

/** The time of a call from the times of its texts. */
export function meanTime(times: readonly EmbeddingTime[]): EmbeddingTime {
  const mean = (part: keyof EmbeddingTime) => times.reduce((sum, time) => sum + time[part], 0) / Math.max(1, times.length);
  return { queue: mean("queue"), inference: mean("inference") };
}

/** Lets whatever else waits on this thread have its turn. */
export const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** What a call gets that was waiting when its encoder was disposed. */
export const disposedError = () => new EncoderError("disposed", "The encoder was disposed while this call waited");
