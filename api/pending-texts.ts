import { interactiveShare, isInteractive } from "../shared/encoder/queue.ts";
import { EncoderError } from "../shared/errors.ts";

/**
 * Limits the texts of all pending requests. A request is pending until its response is sent. Unlike the encoder's queue, this limit
 * includes cached and duplicate texts: their responses take time and memory too.
 */
export class PendingTexts {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Adds a request's texts. Throws `overloaded` when the limit is exceeded. A request always fits when no other is pending.
   * @returns a function that removes the texts; further calls do nothing
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
