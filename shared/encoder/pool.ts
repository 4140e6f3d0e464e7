import { abortable, type Deferred, deferred } from "../async.ts";
import { EncoderError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
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
  type EncoderInfo,
  type InputOptions,
  type Model,
  meanTime,
  type TokenizeOptions,
  textList,
} from "./encoder.ts";
import { type EmbedItem, tooManyTokens } from "./model-runner.ts";
import type { PoolWorker } from "./pool-worker.ts";
import { isInteractive, type QueuedRequest, type QueuedText, TextQueue } from "./queue.ts";
import { oneTextPerRun } from "./session.ts";
import { estimateTokens } from "./token-estimate.ts";
import type { Token } from "./tokenizer.ts";
import { Workers, type WorkersOptions } from "./workers.ts";

/** Options of an {@link EncoderPool}. `Prepared` is the data that workers load the model from. */
export interface PoolOptions<Prepared> extends WorkersOptions<Prepared>, BacklogLimits {
  /** Ms after which a request precedes all younger ones: see {@link TextQueue}. Default: no limit. */
  readonly patience?: number;
}

/**
 * An encoder over workers, for pages and Node.js. An idle worker takes the next texts of the queue (see {@link TextQueue}). A worker that
 * dies, hangs or fails a run is replaced, and its texts are repeated once, each alone. A text that fails again rejects its request, and
 * later requests with this text are rejected with `quarantined_text`.
 * @example
 * const pool = new EncoderPool({ spawn: () => startWorker(), size: 2, prepare: () => readModelFiles() });
 * const { vectors } = await pool.embed(["The tide comes in twice a day."]);
 * await pool.dispose();
 */
export class EncoderPool<Prepared> implements Encoder {
  readonly #queue: TextQueue<TextRequest>;
  readonly #backlog: Backlog;
  readonly #workers: Workers<Prepared>;
  readonly #quarantine = new Quarantine();
  /** Number of calls to `dispose`. */
  #disposals = 0;

  /** The first call starts the workers. Throws `RangeError` for a size below 1. */
  constructor({ patience, maxTokens, maxWait, ...options }: PoolOptions<Prepared>) {
    if (!Number.isInteger(options.size) || options.size < 1) {
      throw new RangeError(`EncoderPool: size must be an integer of at least 1, not ${options.size}`);
    }
    this.#queue = new TextQueue(patience);
    this.#backlog = new Backlog({ maxTokens, maxWait });
    this.#workers = new Workers(options, {
      onReady: () => this.#dispatch(),
      onStopped: (error) => {
        for (const request of this.#queue.drain()) request.fail(error);
      },
    });
  }

  load({ signal }: CallOptions = {}): Promise<Model> {
    return abortable(this.#workers.load(), signal);
  }

  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const { signal, onProgress, normalize = true, dimensions, ...input } = options;
    const { model } = this.#workers;
    if (model) checkDimensions(dimensions, model);
    const request = new EmbedRequest(textList(texts), input, onProgress);
    const rows = await this.#compute(request, signal);
    const size = checkDimensions(dimensions, this.#workers.model ?? (await this.load({ ...(signal && { signal }) })));
    return {
      vectors: rows.map(({ vector }) => finishVector(vector, size, normalize)),
      tokens: rows.map(({ tokens }) => tokens),
      truncated: rows.map(({ truncated }) => truncated),
      time: meanTime(rows.map(({ time }) => time)),
    };
  }

  async tokenize(texts: string | readonly string[], { signal, ...options }: TokenizeOptions = {}): Promise<Token[][]> {
    return this.#compute(new TokenizeRequest(textList(texts), options), signal);
  }

  info(): EncoderInfo {
    const { ready, state, model, size, error } = this.#workers;
    return {
      state,
      model,
      device: ready[0]?.loaded?.device ?? null,
      workers: { ready: ready.length, size },
      pending: this.#backlog.pending,
      error: state === "failed" ? error : null,
    };
  }

  dispose(): Promise<void> {
    this.#disposals += 1;
    return this.#workers.dispose(disposedError());
  }

  async #compute<Result>(request: TextRequest<Result>, signal: AbortSignal | undefined): Promise<Result[]> {
    if (request.texts.length === 0) return [];
    signal?.throwIfAborted();
    if (this.#quarantine.size > 0) {
      const disposals = this.#disposals;
      await this.#quarantine.refuse(request.texts);
      signal?.throwIfAborted();
      if (disposals !== this.#disposals) throw disposedError();
    }
    this.#admit(request);
    const onAbort = () => request.fail(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    this.#queue.add(request);
    // A failed load rejects all queued requests.
    this.#workers.load().catch(() => {});
    this.#dispatch();
    try {
      return await request.results;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Counts the texts as pending, until each is computed or the request has failed. Throws `overloaded`. */
  #admit(request: TextRequest): void {
    const maxTokens = this.#workers.model?.maxTokens ?? Number.POSITIVE_INFINITY;
    const estimates = request.tokens.map((tokens) => Math.min(tokens, maxTokens));
    const workers = () => this.#workers.ready.length;
    this.#backlog.add(estimates, { bulk: !request.interactive, workers: workers() || this.#workers.size, ready: workers() });
    request.onComputed = (index) => this.#backlog.remove([estimates[index] ?? 0], { computed: true, workers: workers() });
    request.onSettled = (left) => {
      this.#queue.remove(request);
      const unfinished = left.map((index) => estimates[index] ?? 0);
      this.#backlog.remove(unfinished, { computed: false, workers: workers() });
    };
  }

  /**
   * Hands the next texts to every idle worker. Interactive requests use at most as many workers at a time as take any text: more would
   * share the same cores, and leave fewer requests that can share a batch.
   */
  #dispatch(): void {
    const { ready } = this.#workers;
    const others = ready.filter(({ role }) => role === "any");
    const reserved = ready.filter(({ role }) => role === "interactive");
    const workers = others.length || reserved.length;
    for (const worker of [...reserved, ...others]) {
      if (worker.busy) continue;
      const { texts, tokens } = worker.loaded?.batch ?? oneTextPerRun;
      // While the workers of one role are the only ones left, they take the others' requests.
      const bulk = worker.role === "any" || others.length === 0;
      const interactive = ready.filter(({ busy, interactive }) => busy && interactive).length < workers;
      const batch = this.#queue.next({ texts, tokens, workers }, { interactive, bulk });
      if (batch.length > 0) void this.#run(worker, batch);
    }
  }

  async #run(worker: PoolWorker<Prepared>, batch: readonly QueuedText<TextRequest>[]): Promise<void> {
    const [first] = batch;
    if (!first) return;
    worker.busy = true;
    worker.interactive = first.request.interactive;
    try {
      const count = await first.request.compute(worker, batch);
      for (const { request, index } of batch.slice(count).toReversed()) this.#queue.putBack(request, [index]);
    } catch (error) {
      this.#onFailedRun(worker, batch, EncoderError.from(error));
    }
    worker.busy = false;
    this.#dispatch();
  }

  #onFailedRun(worker: PoolWorker<Prepared>, batch: readonly QueuedText<TextRequest>[], error: EncoderError): void {
    if (error.type !== "Backend" || error.code === "disposed") {
      for (const { request, index } of batch) request.fail(error.details.index === undefined ? error : error.at(index));
      return;
    }
    // After a failed run, a runtime may fail every later run in its realm. Therefore the worker is replaced.
    this.#workers.retire(worker, error);
    for (const { request, index } of batch.toReversed()) {
      if (!request.isPending(index)) continue;
      if (request.alone.has(index)) {
        // Quarantined before the request is rejected, since the caller may retry immediately.
        void this.#quarantine.add(request.texts[index] ?? "").then(() => request.fail(error.at(index)));
        continue;
      }
      // The observer may have disposed the pool when it was notified of the retired worker.
      if (!this.#workers.started) {
        request.fail(error.at(index));
        continue;
      }
      request.alone.add(index);
      this.#queue.putBack(request, [index]);
    }
  }
}

/** The texts of a call and their results. */
abstract class TextRequest<Result = unknown> implements QueuedRequest {
  readonly texts: readonly string[];
  readonly tokens: readonly number[];
  readonly interactive: boolean;
  abstract readonly mergeable: boolean;
  /** Indexes of the texts that have failed once, and are computed alone. */
  readonly alone = new Set<number>();
  onComputed: (index: number) => void = () => {};
  /** Called with the indexes of texts without a result. */
  onSettled: (left: readonly number[]) => void = () => {};
  readonly #done: Deferred<Result[]> = deferred();
  readonly #results: Result[];
  readonly #left: Set<number>;

  constructor(texts: readonly string[]) {
    this.texts = texts;
    this.tokens = texts.map(estimateTokens);
    this.interactive = isInteractive(texts);
    this.#results = new Array(texts.length);
    this.#left = new Set(texts.keys());
  }

  get settled(): boolean {
    return this.#left.size === 0;
  }

  /** Whether a text has no result yet. */
  isPending(index: number): boolean {
    return this.#left.has(index);
  }

  /** One result per text, in input order. Rejects with the error of the request. */
  get results(): Promise<Result[]> {
    return this.#done.promise;
  }

  /** Computes the first texts of a batch. Resolves with their number. */
  abstract compute(worker: PoolWorker<unknown>, batch: readonly QueuedText<TextRequest>[]): Promise<number>;

  complete(index: number, result: Result): void {
    if (!this.#left.delete(index)) return;
    this.#results[index] = result;
    this.onComputed(index);
    if (!this.settled) return;
    this.onSettled([]);
    this.#done.resolve(this.#results);
  }

  fail(error: unknown): void {
    if (this.settled) return;
    const left = [...this.#left];
    this.#left.clear();
    this.onSettled(left);
    this.#done.reject(error);
  }
}

interface EmbeddedText {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly tokens: number;
  readonly truncated: number;
  readonly time: EmbeddingTime;
}

class EmbedRequest extends TextRequest<EmbeddedText> {
  override readonly mergeable = true;
  readonly #called = performance.now();
  readonly #options: InputOptions;
  readonly #onProgress: EmbedOptions["onProgress"];
  #progress = { texts: 0, tokens: 0 };

  constructor(texts: readonly string[], options: InputOptions, onProgress: EmbedOptions["onProgress"]) {
    super(texts);
    this.#options = options;
    this.#onProgress = onProgress;
  }

  async compute(worker: PoolWorker<unknown>, batch: readonly QueuedText<TextRequest>[]): Promise<number> {
    const began = performance.now();
    const queued = batch.filter((text): text is QueuedText<EmbedRequest> => text.request instanceof EmbedRequest);
    const { results, ms } = await worker.embed(queued.map(({ request, index }) => request.#item(index)));
    const computed = new Map<EmbedRequest, Map<number, EmbeddedText>>();
    for (const [place, result] of results.entries()) {
      const { request, index } = queued[place] ?? {};
      if (!request || index === undefined) continue;
      if ("error" in result) {
        request.fail(result.error.at(index));
        continue;
      }
      const rows = computed.get(request) ?? new Map<number, EmbeddedText>();
      computed.set(request, rows.set(index, { ...result, time: { queue: began - request.#called, inference: ms } }));
    }
    for (const [request, rows] of computed) request.#completeAll(rows);
    return results.length;
  }

  #completeAll(rows: ReadonlyMap<number, EmbeddedText>): void {
    const progress = { ...this.#progress };
    for (const { tokens } of rows.values()) {
      progress.texts += 1;
      progress.tokens += tokens;
    }
    this.#progress = progress;
    try {
      if (!this.settled) this.#onProgress?.(progress);
    } catch (error) {
      this.fail(error);
    }
    for (const [index, row] of rows) this.complete(index, row);
  }

  #item(index: number): EmbedItem {
    return { text: this.texts[index] ?? "", ...this.#options };
  }
}

class TokenizeRequest extends TextRequest<Token[]> {
  override readonly mergeable = false;
  readonly #options: Omit<TokenizeOptions, "signal">;
  #tokensLeft: number;

  constructor(texts: readonly string[], options: Omit<TokenizeOptions, "signal">) {
    super(texts);
    this.#options = options;
    this.#tokensLeft = options.maxTokens ?? Number.POSITIVE_INFINITY;
  }

  async compute(worker: PoolWorker<unknown>, batch: readonly QueuedText<TextRequest>[]): Promise<number> {
    for (const { index } of batch) {
      if (this.settled) break;
      const tokens = await worker.tokenize(this.texts[index] ?? "", this.#options);
      this.#tokensLeft -= tokens.length;
      if (this.#tokensLeft >= 0) this.complete(index, tokens);
      else this.fail(tooManyTokens(this.#options.maxTokens ?? 0));
    }
    return batch.length;
  }
}

/** Hashes of texts that failed in two workers. They are rejected, so that they do not end more workers. */
class Quarantine {
  readonly #hashes = new Set<string>();

  get size(): number {
    return this.#hashes.size;
  }

  async add(text: string): Promise<void> {
    this.#hashes.add(await hashOf(text));
    const [oldest = ""] = this.#hashes;
    if (this.#hashes.size > maxQuarantined) this.#hashes.delete(oldest);
  }

  /** Rejects with `quarantined_text` if one of the texts is in quarantine. */
  async refuse(texts: readonly string[]): Promise<void> {
    const hashes = await Promise.all(texts.map(hashOf));
    const index = hashes.findIndex((hash) => this.#hashes.has(hash));
    if (index >= 0) throw new EncoderError("quarantined_text", "The model failed on this text twice; it is not computed again", { index });
  }
}

const maxQuarantined = 1_000;

const hashOf = (text: string) => sha256Hex(new TextEncoder().encode(text));
