import { type Remote, releaseProxy, wrap } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { ChunkedDocument } from "../../shared/search/passages.ts";
import type { ReadDocument } from "./reading-worker.ts";

/** How long a file may take to be read, in ms. */
const readTimeout = 120_000;

/** How long the worker is kept with nothing to do, in ms. */
const idleTime = 20_000;

/** Reads files in a worker, one at a time; it is started when the first one comes. */
export class DocumentReader {
  #worker: Worker | null = null;
  #read: Remote<ReadDocument> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #idle: ReturnType<typeof setTimeout> | undefined;

  /**
   * A file as a document with this id, cut into passages. Rejects with an `EncoderError` whose message ends a sentence that begins
   * with the file's name, or with the signal's reason.
   */
  read(id: string, file: File, signal: AbortSignal): Promise<ChunkedDocument> {
    const reading = this.#last.then(() => this.#readNow(id, file, signal));
    this.#last = reading.catch(() => {});
    return reading;
  }

  async #readNow(id: string, file: File, signal: AbortSignal): Promise<ChunkedDocument> {
    signal.throwIfAborted();
    clearTimeout(this.#idle);
    const { read, died } = this.#started();
    let giveUp = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const givenUp = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new EncoderError("timeout", "takes too long to read")), readTimeout);
      giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp);
    });
    try {
      return await Promise.race([read(id, file), died, givenUp]);
    } catch (thrown) {
      const error = signal.aborted ? signal.reason : EncoderError.from(thrown);
      // What it does not answer it still works on.
      if (signal.aborted || error.code === "timeout" || error.code === "worker_died") this.#stop();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      this.#idle = setTimeout(() => this.#stop(), idleTime);
    }
  }

  #started(): { read: Remote<ReadDocument>; died: Promise<never> } {
    this.#worker ??= new Worker(new URL("./reading-worker.ts", import.meta.url), { type: "module", name: "reading" });
    this.#read ??= wrap<ReadDocument>(this.#worker);
    const worker = this.#worker;
    const died = new Promise<never>((_, reject) => {
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new EncoderError("worker_died", "could not be read: its reader failed"));
      };
    });
    died.catch(() => {});
    return { read: this.#read, died };
  }

  #stop(): void {
    this.#read?.[releaseProxy]();
    this.#worker?.terminate();
    this.#worker = null;
    this.#read = null;
  }
}
