import { Worker } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { abortable, withTimeout } from "../../shared/async.ts";
import { proxy, type Remote, wrap } from "../../shared/comlink.ts";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { OpenedIndex, PassageEncoder, RemoteIndex } from "./index-worker.ts";

/** A worker thread with an index. Comlink does not detect a dead thread; here calls reject with `worker_died` or `timeout`. */
export class IndexThread {
  readonly #worker: Worker;
  readonly #remote: Remote<RemoteIndex>;
  readonly #encoder: PassageEncoder;
  readonly #ended = new AbortController();

  /** @param onEnd called when the thread ends, before its calls reject */
  constructor(entry: URL, encoder: Pick<Encoder, "load" | "embed">, onEnd: () => void) {
    this.#encoder = {
      load: () => encoder.load(),
      embed: (texts) => encoder.embed(texts),
    };
    // Without the limit, short-lived objects of searches take up to 48 MB, which an idle thread does not give back.
    this.#worker = new Worker(entry, { resourceLimits: { maxYoungGenerationSizeMb: 12 } });
    this.#remote = wrap<RemoteIndex>(nodeEndpoint(this.#worker));
    this.#worker.once("exit", () => {
      onEnd();
      this.#ended.abort(new EncoderError("worker_died", "The index worker exited"));
    });
    // An unhandled error event would end the process. The exit event follows.
    this.#worker.on("error", () => {});
  }

  open(path: string, timeout: number): Promise<OpenedIndex> {
    return this.call(({ open }) => open(path, proxy(this.#encoder)), timeout);
  }

  /** @param timeout ms; default none */
  call<T>(method: (remote: Remote<RemoteIndex>) => Promise<T>, timeout?: number): Promise<T> {
    const result = abortable(method(this.#remote), this.#ended.signal);
    if (timeout === undefined) return result;
    const onTimeout = () => new EncoderError("timeout", `The index worker did not respond within ${timeout} ms`, { limit: timeout });
    return withTimeout(result, timeout, onTimeout);
  }

  /** Terminates the thread. Pending calls reject with `error`. */
  async terminate(error: EncoderError): Promise<void> {
    this.#ended.abort(error);
    await this.#worker.terminate();
  }
}
