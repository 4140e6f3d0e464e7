import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { abortable } from "../../shared/async.ts";
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
} from "../../shared/encoder/encoder.ts";
import type { EncoderObserver } from "../../shared/encoder/observer.ts";
import type { Token } from "../../shared/encoder/tokenizer.ts";
import { EncoderError } from "../../shared/errors.ts";
import { finishVector } from "../../shared/vector.ts";

export interface CacheOptions {
  /** Maximum memory of cached vectors in bytes. With 0 nothing is cached, but concurrent identical texts are still computed once. */
  readonly maxBytes: number;
  readonly observer?: EncoderObserver;
}

/** A text's vector before truncation to `dimensions` and normalization, so that one entry serves all options. */
interface Row {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly tokens: number;
  readonly truncated: number;
}

interface TimedRow extends Row {
  readonly time: EmbeddingTime;
}

/** A call's distinct texts. `wanted` maps each key to its text and first index. */
interface Lookup {
  readonly wanted: ReadonlyMap<string, { readonly text: string; readonly index: number }>;
  readonly options: InputOptions;
  /** Value of `CachedEncoder.#disposals` at the start of the call. */
  readonly disposals: number;
  /** Null before the model is loaded. Its results are not cached then. */
  readonly fingerprint: string | null;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: EmbedOptions["onProgress"];
}

/** Sentinel: the call that computed the text was aborted or failed for another reason. Waiters retry. */
const abandoned = Symbol("abandoned");

/** Approximate bytes of an entry besides its vector: key and bookkeeping. */
const overhead = 400;

/**
 * An encoder with an LRU cache of vectors. Identical texts in concurrent calls share one computation. The cache stores hashes of texts,
 * never the texts. Callers get copies of vectors.
 */
export class CachedEncoder implements Encoder {
  readonly #encoder: Encoder;
  readonly #kept: LRUCache<string, Row> | null;
  readonly #computing = new Map<string, Promise<Row | typeof abandoned>>();
  readonly #observer: EncoderObserver;
  /** How often the encoder was disposed. */
  #disposals = 0;

  constructor(encoder: Encoder, { maxBytes, observer = {} }: CacheOptions) {
    this.#encoder = encoder;
    this.#observer = observer;
    this.#kept = maxBytes > 0 ? new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ vector }) => vector.byteLength + overhead }) : null;
  }

  /** Approximate memory of the cached vectors in bytes. */
  get bytes(): number {
    return this.#kept?.calculatedSize ?? 0;
  }

  load(options: CallOptions = {}): Promise<Model> {
    return this.#encoder.load(options);
  }

  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const { normalize = true, dimensions, signal, onProgress, ...input } = options;
    const list = textList(texts);
    const known = this.info().model;
    if (known) checkDimensions(dimensions, known);
    const fingerprint = known?.fingerprint ?? null;
    const disposals = this.#disposals;
    signal?.throwIfAborted();
    const keys = list.map((text) => keyOf(text, input, fingerprint));

    this.#count(keys);
    const wanted = new Map<string, { text: string; index: number }>();
    for (const [index, key] of keys.entries()) if (!wanted.has(key)) wanted.set(key, { text: list[index] ?? "", index });
    const found = await this.#find({ wanted, options: input, disposals, fingerprint, signal, onProgress });

    const size = checkDimensions(dimensions, known ?? (await this.load({ ...(signal && { signal }) })));
    const rows = keys.map((key) => found.get(key)).filter((row) => row !== undefined);
    const tokens = rows.map((row) => row.tokens);
    onProgress?.({ texts: rows.length, tokens: tokens.reduce((a, b) => a + b, 0) });
    return {
      vectors: rows.map(({ vector }) => finishVector(vector.slice(), size, normalize)),
      tokens,
      truncated: rows.map(({ truncated }) => truncated),
      time: meanTime(rows.map(({ time }) => time)),
    };
  }

  tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    return this.#encoder.tokenize(texts, options);
  }

  info(): EncoderInfo {
    return this.#encoder.info();
  }

  dispose(): Promise<void> {
    this.#disposals += 1;
    this.#kept?.clear();
    return this.#encoder.dispose();
  }

  /** Returns the row of each wanted key: from the cache, from another call, or computed now. */
  async #find(lookup: Lookup): Promise<Map<string, TimedRow>> {
    if (lookup.disposals !== this.#disposals) throw disposedError();
    const started = performance.now();
    const found = new Map<string, TimedRow>();
    const missing = new Map(lookup.wanted);
    const joined = new Map<string, Promise<Row | typeof abandoned>>();
    for (const key of lookup.wanted.keys()) {
      const row = this.#kept?.get(key);
      const computing = this.#computing.get(key);
      if (row) found.set(key, { ...row, time: { queue: 0, inference: 0 } });
      else if (computing) joined.set(key, computing);
      if (row || computing) missing.delete(key);
    }
    const left = new Map<string, { text: string; index: number }>();
    const join = async (key: string, computing: Promise<Row | typeof abandoned>) => {
      const one = lookup.wanted.get(key);
      const row = await abortable(computing, lookup.signal).catch((error: unknown) => {
        throw one && error instanceof EncoderError && error.details.index !== undefined ? error.at(one.index) : error;
      });
      if (row !== abandoned) found.set(key, { ...row, time: { queue: performance.now() - started, inference: 0 } });
      else if (one) left.set(key, one);
    };
    const [computed] = await Promise.all([
      this.#compute({ ...lookup, wanted: missing }),
      ...Array.from(joined, ([key, computing]) => join(key, computing)),
    ]);
    for (const [key, row] of computed) found.set(key, row);
    // No progress here: the first call has already reported its own, and progress must not decrease.
    if (left.size > 0) for (const [key, row] of await this.#find({ ...lookup, wanted: left, onProgress: undefined })) found.set(key, row);
    return found;
  }

  /** Computes the wanted texts in one call, which concurrent calls may join. */
  async #compute({ wanted, options, fingerprint, signal, onProgress }: Lookup): Promise<Map<string, TimedRow>> {
    const rows = new Map<string, TimedRow>();
    if (wanted.size === 0) return rows;
    const keys = [...wanted.keys()];
    const texts = Array.from(wanted.values(), ({ text }) => text);
    const call = this.#encoder.embed(texts, { ...options, normalize: false, ...(signal && { signal }), ...(onProgress && { onProgress }) });
    for (const [place, key] of keys.entries()) this.#offer(key, call, place, signal);
    try {
      const { vectors, tokens, truncated, time } = await call;
      for (const [place, key] of keys.entries()) {
        const row = rowAt({ vectors, tokens, truncated }, place);
        rows.set(key, { ...row, time });
        if (fingerprint !== null) this.#kept?.set(key, row);
      }
      return rows;
    } catch (error) {
      const index = error instanceof EncoderError ? error.details.index : undefined;
      const one = index === undefined ? undefined : wanted.get(keys[index] ?? "");
      throw one && error instanceof EncoderError ? error.at(one.index) : error;
    }
  }

  /** Lets concurrent calls join the computation of the text at `place` of `call`. */
  #offer(key: string, call: Promise<Embeddings>, place: number, signal: AbortSignal | undefined): void {
    const computing = call.then(
      (embeddings) => rowAt(embeddings, place),
      (error: unknown): typeof abandoned => {
        const { code, details }: Partial<EncoderError> = error instanceof EncoderError ? error : {};
        const anotherText = details?.index !== undefined && details.index !== place;
        if (signal?.aborted || code === "overloaded" || anotherText) return abandoned;
        throw error;
      },
    );
    computing.catch(() => {});
    this.#computing.set(key, computing);
    // Runs before waiters continue: a retry must not join the ended call.
    const forget = () => void this.#computing.delete(key);
    call.then(forget, forget);
  }

  #count(keys: readonly string[]): void {
    const seen = new Set<string>();
    const counts = { hits: 0, joined: 0, misses: 0 };
    for (const key of keys) {
      if (this.#kept?.has(key)) counts.hits += 1;
      else if (seen.has(key) || this.#computing.has(key)) counts.joined += 1;
      else counts.misses += 1;
      seen.add(key);
    }
    if (keys.length > 0) this.#observer.onLookup?.(counts);
  }
}

/** SHA-256 of all inputs that determine a row. */
function keyOf(text: string, options: InputOptions, fingerprint: string | null): string {
  const { inputType = "passage", truncate = true, truncationDirection = "right" } = options;
  return hash("sha256", `${fingerprint}\n${inputType}\n${truncate}\n${truncationDirection}\n${text}`, "base64");
}

function rowAt({ vectors, tokens, truncated }: Pick<Embeddings, "vectors" | "tokens" | "truncated">, place: number): Row {
  const vector = vectors[place];
  if (!vector) throw new EncoderError("internal", "The encoder returned fewer vectors than texts");
  return { vector, tokens: tokens[place] ?? 0, truncated: truncated[place] ?? 0 };
}
