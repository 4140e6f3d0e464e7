import { CachedEncoder } from "./cache.ts";
import { createEncoder, type NodeEncoderOptions } from "./encoder.ts";

export interface ServiceEncoderOptions extends NodeEncoderOptions {
  /** Maximum estimated tokens that may be queued or being computed. */
  readonly queueTokens: number;
  /** Maximum memory for cached vectors in bytes; 0 caches none. */
  readonly cacheBytes: number;
  /** Maximum duration of a request in ms. */
  readonly requestTimeout: number;
  /** Maximum ms for pending work to complete when the service ends. */
  readonly shutdownTimeout: number;
}

/**
 * The encoder of a server: a cache in front of a pool. What is admitted can be computed in time, by the measured rate: within half of the
 * request timeout, and before the service ends. After a quarter of the request timeout a request is no longer overtaken by younger ones.
 */
export function createServiceEncoder(options: ServiceEncoderOptions): CachedEncoder {
  const { queueTokens, cacheBytes, requestTimeout, shutdownTimeout, ...poolOptions } = options;
  const pool = createEncoder({
    keepTrying: true,
    patience: requestTimeout / 4,
    maxTokens: queueTokens,
    // The measured rate may fall: hence not all of the time.
    maxWait: Math.min(requestTimeout / 2, shutdownTimeout * 0.8),
    ...poolOptions,
  });
  return new CachedEncoder(pool, { maxBytes: cacheBytes, ...(options.observer && { observer: options.observer }) });
}
