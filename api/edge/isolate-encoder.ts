import { waitUntil } from "cloudflare:workers";
import { AdmissionEncoder, type AdmissionLimits } from "../../shared/encoder/admission.ts";
import { DeadlineEncoder } from "../../shared/encoder/deadline.ts";
import { type CallOptions, createSessionEncoder, type Encoder, type OpenModel } from "../../shared/encoder/encoder.ts";
import { EncoderLayer } from "../../shared/encoder/layer.ts";
import { EncoderError } from "../../shared/errors.ts";

export interface IsolateLimits {
  /** The most tokens of a request: what the platform lets one compute. */
  readonly requestTokens: number;
  /** The most that may wait or be computed at once, as `AdmissionLimits` has it. */
  readonly queue: Pick<AdmissionLimits, "texts" | "tokens">;
  /** How long a request may take, in ms. */
  readonly requestTimeout: number;
}

/**
 * The encoder of an isolate, which has one thread: one run at a time, a bounded queue before it, and between texts
 * whatever else waits in the isolate has its turn.
 *
 * There, input, output and timers belong to the request that began them and stop with it when its client hangs up. What
 * was awaiting them stays pending for ever, its `finally` included. Hence: calls outlive their clients, every wait has an
 * end, and a load that has no end is forgotten. A run needs no such care: it computes without input or output, and so
 * never stops half way.
 */
export function createIsolateEncoder(open: OpenModel, { requestTokens, queue, requestTimeout }: IsolateLimits): Encoder {
  const session = new ReloadingEncoder(() => createSessionEncoder(() => toTheEnd(open()), { maxCallTokens: requestTokens }));
  // The queue is short instead: an isolate's clock stands still while it computes, so that no rate that it measures is
  // good enough to refuse by.
  const admission = new AdmissionEncoder(session, { ...queue, wait: Number.POSITIVE_INFINITY });
  return new OutlivingEncoder(new DeadlineEncoder(admission, requestTimeout));
}

/** `promise`, for the sake of which the isolate goes on working when the client has gone: 30 s, by the platform's rule. */
function toTheEnd<T>(promise: Promise<T>): Promise<T> {
  waitUntil(promise.catch(() => {}));
  return promise;
}

/**
 * An encoder whose calls come to an end also where nobody waits for their answer any more. An aborted one ends at once,
 * gives back its place in the queue, and has its waiting texts dropped.
 */
class OutlivingEncoder extends EncoderLayer {
  protected override pass<Options extends CallOptions, T>(
    options: Options,
    call: (below: Encoder, options: Options) => Promise<T>,
  ): Promise<T> {
    return toTheEnd(super.pass(options, call));
  }
}

/** Longer than an isolate works for a client that has gone, so that a load given up is one that has stopped. */
const loadTimeout = 45_000;

/** An encoder that is made anew when its load has no end. */
class ReloadingEncoder extends EncoderLayer {
  readonly #make: () => Encoder;

  constructor(make: () => Encoder) {
    super(make());
    this.#make = make;
  }

  protected override async pass<Options extends CallOptions, T>(
    options: Options,
    call: (below: Encoder, options: Options) => Promise<T>,
  ): Promise<T> {
    return call(await this.#loaded(options), options);
  }

  async #loaded({ signal }: CallOptions): Promise<Encoder> {
    const awaited = this.below;
    const timeout = AbortSignal.timeout(loadTimeout);
    try {
      await awaited.load({ signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
      return awaited;
    } catch (error) {
      if (error !== timeout.reason) throw error;
      if (this.below === awaited) {
        this.below = this.#make();
        // Should it come to an end after all, it frees its memory.
        void awaited.dispose();
      }
      throw new EncoderError("timeout", `The model was not loaded within ${loadTimeout / 1000} s`);
    }
  }
}
