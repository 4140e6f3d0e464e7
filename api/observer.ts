/** What the service tells whoever logs and counts. The app knows no more of logs and metrics than this. */
import type { EncoderObserver } from "../shared/encoder/observer.ts";
import type { Device } from "../shared/encoder/session.ts";
import type { ErrorCode } from "../shared/errors.ts";

/** What a request made the encoder do. A route says it with `c.set("work", …)` once it has its vectors. */
interface Work {
  readonly texts: number;
  readonly tokens: number;
  /** ms in the queue and ms in the session, as `Embeddings.time` has them. */
  readonly queue: number;
  readonly inference: number;
}

/** An answered request. Never a body, a query string, a key or a text. */
export interface AnsweredRequest {
  readonly id: string;
  readonly method: string;
  /** The route's pattern, e.g. `/v1/models/:model`, not the path: few values, and none of a caller's. */
  readonly route: string;
  /** 499 where the client hung up before the answer. */
  readonly status: number;
  /** From the request's arrival to its answer's headers. */
  readonly ms: number;
  readonly work?: Work;
  /** Of the error that it was answered with. */
  readonly code?: ErrorCode;
}

/** Sizes of now, asked for when somebody looks. */
export interface Load {
  readonly queuedTexts: number;
  readonly queuedTokens: number;
  /** Workers that can answer, and how many there should be. */
  readonly workers: { readonly ready: number; readonly size: number };
  /** What computes; null before the first load. */
  readonly device: Device | null;
  /** Bytes of the cache of vectors. */
  readonly cacheBytes: number;
  /** Connections of clients: those that are open, and how many were closed at once since there were too many. */
  readonly connections: { readonly open: number; readonly dropped: number };
}

/** A method must not throw and must not wait. */
export interface Observer extends EncoderObserver {
  onRequest?(request: AnsweredRequest): void;
  /** Something that is not an `EncoderError` was thrown: a fault of ours. Its message may hold anything, so only its name and place count. */
  onFault?(request: { readonly id: string; readonly route: string }, error: unknown): void;
}

/** One observer of many: each is told, in their order. */
export function observeAll(observers: readonly Observer[]): Observer {
  const tell =
    <Event extends unknown[]>(told: (observer: Observer) => ((...event: Event) => void) | undefined) =>
    (...event: Event) => {
      for (const observer of observers) told(observer)?.(...event);
    };
  return {
    onRequest: tell((observer) => observer.onRequest),
    onFault: tell((observer) => observer.onFault),
    onLoad: tell((observer) => observer.onLoad),
    onLoadFailure: tell((observer) => observer.onLoadFailure),
    onRestart: tell((observer) => observer.onRestart),
    onLookup: tell((observer) => observer.onLookup),
  };
}

declare module "hono" {
  interface ContextVariableMap {
    requestId: string;
    work?: Work;
    /** The place of the request's API key among all; undefined where none is asked for. */
    apiKey?: number;
  }
}
