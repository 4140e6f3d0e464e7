/** Events for logs and metrics. The app depends on this interface only. */
import type { EncoderObserver } from "../shared/encoder/observer.ts";
import type { Device } from "../shared/encoder/session.ts";
import type { ErrorCode } from "../shared/errors.ts";

/** Encoder work done for a request. Routes set it with `c.set("work", …)` when embedding completes. */
interface Work {
  readonly texts: number;
  readonly tokens: number;
  /** ms queued and ms of inference, from `Embeddings.time`. */
  readonly queue: number;
  readonly inference: number;
}

/** A completed request. It never contains a body, a query string, a key or a text. */
export interface AnsweredRequest {
  readonly id: string;
  readonly method: string;
  /** Route pattern such as `/v1/models/:model`. The path itself may contain a caller's text and would give metrics too many labels. */
  readonly route: string;
  /** HTTP status; 499 when the client disconnected before the response. */
  readonly status: number;
  /** ms from the request's arrival to the response headers. */
  readonly ms: number;
  readonly work?: Work;
  /** Error code of the response. */
  readonly code?: ErrorCode;
}

/** Current load, read when metrics are scraped. */
export interface Load {
  readonly queuedTexts: number;
  readonly queuedTokens: number;
  /** Ready workers and configured workers. */
  readonly workers: { readonly ready: number; readonly size: number };
  /** Device of the model; null before the first load. */
  readonly device: Device | null;
  /** Size of the vector cache in bytes. */
  readonly cacheBytes: number;
  /** Open client connections, and connections dropped at the connection limit. */
  readonly connections: { readonly open: number; readonly dropped: number };
}

/** Methods must not throw or block. */
export interface Observer extends EncoderObserver {
  onRequest?(request: AnsweredRequest): void;
  /** An error other than an `EncoderError` was thrown, which is a bug. Do not log its message: it may contain a user's text. */
  onFault?(request: { readonly id: string; readonly route: string }, error: unknown): void;
}

/** Combines observers into one that notifies each in order. */
export function observeAll(observers: readonly Observer[]): Observer {
  const notify =
    <Event extends unknown[]>(method: (observer: Observer) => ((...event: Event) => void) | undefined) =>
    (...event: Event) => {
      for (const observer of observers) method(observer)?.(...event);
    };
  return {
    onRequest: notify((observer) => observer.onRequest),
    onFault: notify((observer) => observer.onFault),
    onLoad: notify((observer) => observer.onLoad),
    onLoadFailure: notify((observer) => observer.onLoadFailure),
    onRestart: notify((observer) => observer.onRestart),
    onLookup: notify((observer) => observer.onLookup),
  };
}

declare module "hono" {
  interface ContextVariableMap {
    requestId: string;
    work?: Work;
    /** Index of the request's API key in the configured keys; undefined when no keys are configured. */
    apiKey?: number;
  }
}
