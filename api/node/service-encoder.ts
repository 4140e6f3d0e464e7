import { AdmissionEncoder, type Admitted } from "../../shared/encoder/admission.ts";
import { CachedEncoder } from "../../shared/encoder/cache.ts";
import { DeadlineEncoder } from "../../shared/encoder/deadline.ts";
import type { Encoder, Model } from "../../shared/encoder/encoder.ts";
import { createEncoder, type NodeEncoderOptions } from "./encoder.ts";

export interface ServiceEncoderOptions extends NodeEncoderOptions {
  /** The most texts that may wait or be computed at once. */
  readonly queueTexts: number;
  /** The most tokens of theirs. */
  readonly queueTokens: number;
  /** Memory for vectors; 0 keeps none. */
  readonly cacheBytes: number;
  /** How long a request may take, in ms. */
  readonly requestTimeout: number;
  /** How long all that was admitted may take when the service ends, in ms. */
  readonly shutdownTimeout: number;
}

export interface ServiceEncoder {
  /** What requests are handed to. */
  readonly encoder: Encoder;
  /** Loads the model, however long that takes: requests alone have a deadline. */
  load(): Promise<Model>;
  /** What waits or is computed now. */
  readonly admitted: Admitted;
  readonly cacheBytes: number;
}

/**
 * When a worker counts as hung, in ms: the longest texts take a second or two on a busy machine. Two of it leave some of
 * the default deadline, for the second try.
 */
const runTimeout = 20_000;

/**
 * The encoder of a server: deadline(cache(admission(pool))). A text that the cache has, or that is being computed for
 * somebody else, takes no place in the queue; and a deadline holds whatever it is that a request waits for.
 *
 * What is admitted is computed in time, by the measured rate: the queue is no longer than can be drained in half of a
 * request's time, and after a quarter of it a request is overtaken by no younger one. Nor is it longer than can be drained
 * when the service ends.
 */
export function createServiceEncoder(options: ServiceEncoderOptions): ServiceEncoder {
  const { queueTexts, queueTokens, cacheBytes, requestTimeout, shutdownTimeout, ...poolOptions } = options;
  const { observer } = options;
  const pool = createEncoder({ keepTrying: true, runTimeout, patience: requestTimeout / 4, ...poolOptions });
  // The rate is measured in estimated tokens and may fall: hence not all of the time.
  const wait = Math.min(requestTimeout / 2, shutdownTimeout * 0.8);
  const admission = new AdmissionEncoder(pool, { texts: queueTexts, tokens: queueTokens, wait }, observer);
  const cache = new CachedEncoder(admission, { maxBytes: cacheBytes, ...(observer && { observer }) });
  return {
    encoder: new DeadlineEncoder(cache, requestTimeout),
    load: () => pool.load(),
    get admitted() {
      return admission.admitted;
    },
    get cacheBytes() {
      return cache.bytes;
    },
  };
}
