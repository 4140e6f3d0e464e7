import { abortable, Mutex, nextTurn, withTimeout } from "../async.ts";
import { EncoderError } from "../errors.ts";
import { finishVector } from "../vector.ts";
import { Backlog, type BacklogLimits } from "./backlog.ts";
import {
  type CallOptions,
  checkDimensions,
  disposedError,
  type Embeddings,
  type EmbeddingTime,
  type EmbedOptions,
  type Encoder,
  type Model,
  meanTime,
  textList,
} from "./encoder.ts";
import { type ModelInput, type ModelRunner, type OpenModel, openModelRunner, tooManyTokens } from "./model-runner.ts";
import { isInteractive } from "./queue.ts";
import { estimateTokens } from "./token-estimate.ts";

/** Options of {@link createSessionEncoder}. */
export interface SessionEncoderOptions extends BacklogLimits {
  /** Maximum tokens of one call to `embed`, after truncation. More are rejected with `too_many_tokens`. Default: no limit. */
  readonly maxCallTokens?: number;
  /** Maximum ms for a load, which then rejects with `timeout`. The next call starts a new load. Default: no limit. */
  readonly loadTimeout?: number;
}

/**
 * Creates an encoder on the calling thread: one session, one run at a time. Between runs, it yields to other tasks. For platforms with one
 * thread, such as an edge isolate. Calls reject with `overloaded` if the request exceeds the backlog's limits.
 * @example
 * const encoder = createSessionEncoder(openWasmModel({ manifest, load, modules }));
 * const { vectors } = await encoder.embed("how tides work");
 */
export function createSessionEncoder(openModel: OpenModel, options: SessionEncoderOptions = {}): Encoder {
  const { maxCallTokens = Number.POSITIVE_INFINITY, loadTimeout } = options;
  const backlog = new Backlog(options);
  const runs = new Mutex();
  /** The load that callers share, until it fails or the encoder is disposed. */
  let opening: Promise<ModelRunner> | null = null;
  /** The outcome of `opening`. */
  let runner: ModelRunner | null = null;
  let model: Model | null = null;
  let loadError: EncoderError | null = null;

  const open = (): Promise<ModelRunner> => {
    if (opening) return opening;
    loadError = null;
    const started = openModelRunner(openModel);
    opening = started;
    started.then(
      (opened) => {
        if (opening !== started) return;
        runner = opened;
        model = opened.model;
      },
      (error) => {
        if (opening !== started) return;
        opening = null;
        loadError = error;
      },
    );
    return started;
  };

  /** Each caller sets its own timer: in an isolate, a timer ends with the request that set it. */
  const loaded = (signal: AbortSignal | undefined): Promise<ModelRunner> => {
    const started = open();
    if (runner || loadTimeout === undefined) return abortable(started, signal);
    const onTimeout = () => {
      const error = new EncoderError("timeout", `The model did not load within ${loadTimeout / 1000} s`, { limit: loadTimeout });
      // The first timeout discards the load for all callers.
      if (opening === started) {
        opening = null;
        loadError = error;
        // If the load completes later, its session is disposed.
        started.then(({ session }) => session.dispose()).catch(() => {});
      }
      return error;
    };
    return abortable(withTimeout(started, loadTimeout, onTimeout), signal);
  };

  /** Tokenizes all texts before the first run: the token limit is checked before any text is computed. */
  const prepareAll = async (opened: ModelRunner, texts: readonly string[], options: EmbedOptions): Promise<ModelInput[]> => {
    const inputs: ModelInput[] = [];
    let tokens = 0;
    for (const [index, text] of texts.entries()) {
      if (index % textsPerTurn === textsPerTurn - 1) await nextTurn();
      options.signal?.throwIfAborted();
      try {
        inputs.push(opened.prepare({ ...options, text }));
      } catch (error) {
        throw EncoderError.from(error).at(index);
      }
      tokens += inputs.at(-1)?.ids.length ?? 0;
      if (tokens > maxCallTokens) throw tooManyTokens(maxCallTokens);
    }
    return inputs;
  };

  const embedAll = async (texts: readonly string[], options: EmbedOptions): Promise<Embeddings> => {
    const called = performance.now();
    const opened = await loaded(options.signal);
    const dimensions = checkDimensions(options.dimensions, opened.model);
    const inputs = await prepareAll(opened, texts, options);
    const tokens = inputs.map(({ ids }) => ids.length);
    const vectors: Float32Array<ArrayBuffer>[] = [];
    const times: EmbeddingTime[] = [];
    let computedTokens = 0;
    while (vectors.length < inputs.length) {
      if (vectors.length > 0) await nextTurn();
      options.signal?.throwIfAborted();
      await runs.run(async () => {
        if (runner !== opened) throw disposedError();
        const began = performance.now();
        const first = vectors.length;
        const computed = await opened.run(inputs.slice(first, first + opened.session.batch.texts));
        const time = { queue: began - called, inference: performance.now() - began };
        for (const vector of computed) {
          computedTokens += tokens[vectors.length] ?? 0;
          vectors.push(finishVector(vector, dimensions, options.normalize ?? true));
          times.push(time);
        }
      });
      options.onProgress?.({ texts: vectors.length, tokens: computedTokens });
    }
    return { vectors, tokens, truncated: inputs.map(({ truncated }) => truncated), time: meanTime(times) };
  };

  /** Runs a call. Its texts count as pending until the call settles. */
  const admitted = async <T>(texts: readonly string[], { signal }: CallOptions, call: () => Promise<T>): Promise<T> => {
    const maxTokens = model?.maxTokens ?? Number.POSITIVE_INFINITY;
    const estimates = texts.map((text) => Math.min(estimateTokens(text), maxTokens));
    signal?.throwIfAborted();
    backlog.add(estimates, { bulk: !isInteractive(texts), workers: 1 });
    try {
      return await abortable(call(), signal);
    } finally {
      backlog.remove(estimates, { computed: false, workers: 1 });
    }
  };

  return {
    load: async ({ signal } = {}) => (await loaded(signal)).model,

    async embed(texts, options = {}) {
      const list = textList(texts);
      return admitted(list, options, () => embedAll(list, options));
    },

    async tokenize(texts, { signal, ...options } = {}) {
      const list = textList(texts);
      return admitted(list, { ...(signal && { signal }) }, async () => {
        const opened = await loaded(signal);
        const results = [];
        let left = options.maxTokens ?? Number.POSITIVE_INFINITY;
        for (const text of list) {
          if (results.length > 0) await nextTurn();
          signal?.throwIfAborted();
          const tokens = opened.tokenize(text, options);
          left -= tokens.length;
          if (left < 0) throw tooManyTokens(options.maxTokens ?? 0);
          results.push(tokens);
        }
        return results;
      });
    },

    info: () => ({
      state: runner ? "ready" : opening ? "loading" : loadError ? "failed" : "idle",
      model,
      device: runner?.session.device ?? null,
      workers: { ready: runner ? 1 : 0, size: 1 },
      pending: backlog.pending,
      error: loadError,
    }),

    async dispose() {
      const closing = opening;
      opening = null;
      runner = null;
      loadError = null;
      const session = (await closing?.catch(() => null))?.session;
      if (session) await runs.run(() => session.dispose());
    },
  };
}

/** Number of texts that are tokenized without yielding. */
const textsPerTurn = 32;
