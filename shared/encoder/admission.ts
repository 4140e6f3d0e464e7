import { EncoderError } from "../errors.ts";
import { type CallOptions, type Embeddings, type EmbedOptions, type Encoder, type TokenizeOptions, textList } from "./encoder.ts";
import { EncoderLayer } from "./layer.ts";
import type { EncoderObserver } from "./observer.ts";
import { laneOf } from "./queue.ts";
import { Throughput } from "./throughput.ts";
import type { Token } from "./tokenizer.ts";

/** The most that may wait or be computed at once. */
export interface AdmissionLimits {
  readonly texts: number;
  /** Tokens as {@link estimateTokens} counts them: the true number is known only to the workers. */
  readonly tokens: number;
  /** How long, in ms: less than the tokens above where, by the measured rate, they would take longer. */
  readonly wait: number;
}

/** What has been admitted and is not computed yet. */
export interface Admitted {
  readonly texts: number;
  readonly tokens: number;
}

/** The part of the limits that bulk requests leave to interactive ones. */
const interactiveShare = 0.1;

/**
 * A bound on what waits. A request is admitted as a whole or refused as a whole, at once, with `overloaded`, whose
 * `details.retryAfter` tells when there will be room for it. Its places are freed as its texts are computed, and all at
 * once when it ends in another way. An empty queue takes a request of any size: it would never be served otherwise.
 */
export class AdmissionEncoder extends EncoderLayer {
  readonly #limits: AdmissionLimits;
  readonly #observer: EncoderObserver;
  readonly #throughput = new Throughput();
  #texts = 0;
  #tokens = 0;

  constructor(below: Encoder, limits: AdmissionLimits, observer: EncoderObserver = {}) {
    super(below);
    this.#limits = limits;
    this.#observer = observer;
  }

  get admitted(): Admitted {
    return { texts: this.#texts, tokens: this.#tokens };
  }

  override async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    const list = textList(texts);
    return this.#admit(list, options, (onComputed) =>
      super.embed(list, {
        ...options,
        onProgress: (done) => {
          onComputed(done.texts);
          options.onProgress?.(done);
        },
      }),
    );
  }

  override async tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    const list = textList(texts);
    return this.#admit(list, options, () => super.tokenize(list, options));
  }

  /** @param run given what to call with how many texts are computed: their places are free */
  async #admit<T>(texts: readonly string[], { signal }: CallOptions, run: (onComputed: (count: number) => void) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const maxTokens = this.info().model?.maxTokens ?? Number.POSITIVE_INFINITY;
    const estimates = texts.map((text) => Math.min(estimateTokens(text), maxTokens));
    this.#refuseBeyondLimits(texts, sum(estimates));

    let freed = 0;
    /** Which texts are done is not told, only how many: the first ones, but for a worker or two. */
    const free = (count: number): number => {
      const texts = estimates.slice(freed, count);
      freed += texts.length;
      this.#texts -= texts.length;
      this.#tokens -= sum(texts);
      return sum(texts);
    };
    this.#texts += texts.length;
    this.#tokens += sum(estimates);
    this.#throughput.count(0, this.#saturated);
    try {
      return await run((count) => this.#throughput.count(free(count), this.#saturated));
    } finally {
      free(texts.length);
      this.#throughput.count(0, this.#saturated);
    }
  }

  /** Whether every worker has something to do and something still waits. While none can work there is no rate to measure. */
  get #saturated(): boolean {
    const { ready } = this.info().workers;
    return ready > 0 && this.#texts > ready;
  }

  #refuseBeyondLimits(texts: readonly string[], tokens: number): void {
    if (this.#texts === 0) return;
    const rate = this.#throughput.tokensPerSecond ?? assumedTokensPerSecond * this.info().workers.size;
    const share = laneOf(texts) === "interactive" ? 1 : 1 - interactiveShare;
    const maxTokens = Math.floor(Math.min(this.#limits.tokens, (rate * this.#limits.wait) / 1e3));
    const tooManyTexts = this.#texts + texts.length - this.#limits.texts * share;
    const tooManyTokens = this.#tokens + tokens - maxTokens * share;
    if (tooManyTexts <= 0 && tooManyTokens <= 0) return;

    this.#observer.onRefusal?.({ texts: texts.length });
    // A text that must go first is worth the mean of those that wait. No more must go than there are.
    const tokensAhead = Math.min(this.#tokens, Math.max(tooManyTokens, tooManyTexts * (this.#tokens / this.#texts)));
    const retryAfter = Math.max(1, Math.ceil(tokensAhead / rate));
    const [limit, found] = tooManyTokens > 0 ? [maxTokens, this.#tokens] : [this.#limits.texts, this.#texts];
    const message = `The queue is full: ${this.#texts} texts of about ${this.#tokens} tokens wait. Try again in ${retryAfter} s`;
    throw new EncoderError("overloaded", message, { retryAfter, limit, found });
  }
}

/** Of a worker, until a rate has been measured: that of a slow core. */
const assumedTokensPerSecond = 2_000;

/** UTF-8 bytes per token. WordPiece makes 4.5 of English, 3 of Chinese, and fewer of numbers and rare words. */
const bytesPerToken = 3;

/** About how many tokens a text has: rather too many than too few. */
export function estimateTokens(text: string): number {
  return Math.ceil(utf8Length(text) / bytesPerToken) + 2; // [CLS] and [SEP]
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Half of a surrogate pair is 2 of the pair's 4 bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
