import { abortable, Mutex, withTimeout } from "../../shared/async.ts";
import { type Remote, releaseProxy, wrap } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { ChunkedDocument } from "../../shared/search/passages.ts";
import type { ReadDocument } from "./reading-worker.ts";

/** ms for reading one file. */
const readTimeout = 120_000;

/** ms after which an idle worker is terminated. */
const idleTime = 20_000;

/** Reads files in a worker, one at a time. The worker starts with the first file. */
export class DocumentReader {
  #worker: Worker | null = null;
  #read: Remote<ReadDocument> | null = null;
  readonly #reads = new Mutex();
  #idle: ReturnType<typeof setTimeout> | undefined;

  /**
   * Reads a file as a chunked document. Rejects with the signal's reason, or with an `EncoderError` whose message continues a sentence
   * that starts with the file's name.
   */
  read(id: string, file: File, signal: AbortSignal): Promise<ChunkedDocument> {
    return this.#reads.run(() => this.#readNow(id, file, signal));
  }

  async #readNow(id: string, file: File, signal: AbortSignal): Promise<ChunkedDocument> {
    signal.throwIfAborted();
    clearTimeout(this.#idle);
    const { read, died } = this.#started();
    const onTimeout = () => new EncoderError("timeout", "takes too long to read");
    try {
      return await abortable(withTimeout(Promise.race([read(id, file), died]), readTimeout, onTimeout), signal);
    } catch (thrown) {
      const error = signal.aborted ? signal.reason : EncoderError.from(thrown);
      // The worker is still busy with the file.
      if (signal.aborted || error.code === "timeout" || error.code === "worker_died") this.#stop();
      throw error;
    } finally {
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
        reject(new EncoderError("worker_died", "could not be read: the reader failed"));
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
