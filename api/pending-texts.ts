import { isInteractive } from "../shared/encoder/queue.ts";
import { EncoderError } from "../shared/errors.ts";

/** The part of the limit that bulk requests leave to interactive ones. */
const interactiveShare = 0.1;

/**
 * Bounds the texts of all requests that are being answered, from before any work is done until the answer is sent. Unlike the encoder's
 * queue it counts cached and duplicate texts, whose answers take time and memory too.
 */
export class PendingTexts {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Adds a request's texts. Throws `overloaded` when they do not fit; a request of any size fits when no other is pending.
   * @returns removes them, once
   */
  add(texts: readonly string[]): () => void {
    const limit = isInteractive(texts) ? this.#max : Math.floor(this.#max * (1 - interactiveShare));
    if (this.#count > 0 && this.#count + texts.length > limit) {
      const message = `The service is busy: ${this.#count} texts are pending. Retry in 1 s`;
      throw new EncoderError("overloaded", message, { retryAfter: 1, limit, found: this.#count });
    }
    let left = texts.length;
    this.#count += left;
    return () => {
      this.#count -= left;
      left = 0;
    };
  }
}
