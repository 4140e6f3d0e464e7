import { CachedEncoder } from "./cache.ts";
import { createEncoder, type NodeEncoderOptions } from "./encoder.ts";

export interface ServiceEncoderOptions extends NodeEncoderOptions {
  /** Maximum estimated tokens of queued and running texts. */
  readonly queueTokens: number;
  /** Maximum memory of cached vectors in bytes; 0 disables the cache. */
  readonly cacheBytes: number;
  /** Maximum duration of a request in ms. */
  readonly requestTimeout: number;
  /** Maximum ms for pending work to complete on shutdown. */
  readonly shutdownTimeout: number;
}

/**
 * Creates the encoder of a server: a cache in front of a pool. Calls reject with `overloaded` when, by the measured rate, they could not
 * complete within half of the request timeout or within the shutdown timeout. After a quarter of the request timeout, younger requests can
 * no longer overtake a request. Throws `RangeError` for a number of workers below 1.
 * @example
 * const encoder = createServiceEncoder({ queueTokens: 524_288, cacheBytes: 16e6, requestTimeout: 60_000, shutdownTimeout: 25_000 });
 * const app = createApp({ encoder, config: defaultConfig });
 */
export function createServiceEncoder(options: ServiceEncoderOptions): CachedEncoder {
  const { queueTokens, cacheBytes, requestTimeout, shutdownTimeout, ...poolOptions } = options;
  const pool = createEncoder({
    keepTrying: true,
    patience: requestTimeout / 4,
    maxTokens: queueTokens,
    // A margin, because the measured rate may fall.
    maxWait: Math.min(requestTimeout / 2, shutdownTimeout * 0.8),
    ...poolOptions,
  });
  return new CachedEncoder(pool, { maxBytes: cacheBytes, ...(options.observer && { observer: options.observer }) });
}
