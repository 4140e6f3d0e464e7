import { EncoderError } from "../../shared/errors.ts";

/** Maximum requests for a file whose connection is lost. */
const maxAttempts = 4;

/** Delay before the second attempt, in ms. It doubles with each attempt. */
const firstDelay = 500;

/** Ms without data after which a connection counts as lost. */
const defaultStallTimeout = 30_000;

/** Options of {@link fetchFile}. */
export interface FetchOptions {
  /** The name of the file in errors. */
  readonly name: string;
  /** Expected size in bytes: a shorter file is incomplete. Omit it if the size is unknown. */
  readonly bytes?: number;
  /** Maximum requests. Default 4. */
  readonly attempts?: number;
  /** Ms without data after which a connection counts as lost. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** Called with the bytes received so far. */
  readonly onBytes?: (loaded: number) => void;
  /** Called with the `content-length` of the response: the compressed size if the server compresses. */
  readonly onAnswer?: (bytes: number) => void;
  /** Called with the headers of the first response. */
  readonly onHeaders?: (headers: Headers) => void;
  /** Maximum bytes. A larger file is rejected with `file_too_large`, by its `content-length` or as its bytes arrive. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
}

/** A downloaded file. */
export interface FetchedFile {
  readonly blob: Blob;
  /** Whether the file was assembled from the responses to several requests. */
  readonly resumed: boolean;
}

/** The cause of an error: the server responded without the file. */
export class RefusedRequest extends Error {
  readonly status: number;
  /** The header `x-error-code` of a Hugging Face hub. */
  readonly code: string | null;

  constructor({ status, headers }: Response) {
    super(`the server answered ${status}`);
    this.status = status;
    this.code = headers.get("x-error-code");
  }
}

/**
 * Fetches a file. After a lost connection, it resumes with a range request, or restarts if the server does not support ranges. Rejects
 * with `load_failed` if the server refuses or the connection is lost too often, with `file_too_large`, or with the signal's reason.
 * @example
 * const { blob } = await fetchFile(new URL("manifest.json", assets), { name: "manifest.json", signal });
 */
export async function fetchFile(url: URL, options: FetchOptions): Promise<FetchedFile> {
  const { name, bytes, attempts = maxAttempts, maxBytes = Number.POSITIVE_INFINITY, onBytes, signal } = options;
  let parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  let resumed = false;
  const receive = async () => {
    for await (const chunk of chunksOf(url, loaded, options)) {
      if (chunk === "from the start") {
        parts = [];
        loaded = 0;
        continue;
      }
      parts.push(chunk);
      loaded += chunk.byteLength;
      if (loaded > maxBytes) throw tooLarge(name, maxBytes, loaded);
      onBytes?.(loaded);
    }
    if (bytes !== undefined && loaded < bytes) throw new LostConnection(`it ended after ${loaded} of ${bytes} bytes`);
  };
  for (let attempt = 1; ; attempt++) {
    try {
      await receive();
      return { blob: new Blob(parts), resumed };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EncoderError) throw error;
      if (!(error instanceof LostConnection) || attempt >= attempts) {
        const reason = error instanceof Error ? error.message : error;
        throw new EncoderError("load_failed", `${name} could not be fetched: ${reason}`, {}, { cause: error });
      }
    }
    resumed = loaded > 0;
    await new Promise((resolve) => setTimeout(resolve, firstDelay * 2 ** (attempt - 1)));
  }
}

function tooLarge(name: string, limit: number, found: number): EncoderError {
  return new EncoderError("file_too_large", `${name} is larger than the download limit of ${limit} bytes`, { limit, found });
}

/** A failure that another request may resolve. */
class LostConnection extends Error {}

/** The bytes of a file, from offset `start` on. Yields "from the start" first if the server ignores the range. */
async function* chunksOf(
  url: URL,
  start: number,
  { name, stallTimeout = defaultStallTimeout, maxBytes = Number.POSITIVE_INFINITY, onAnswer, onHeaders, signal }: FetchOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer> | "from the start"> {
  const stall = new AbortController();
  const onStall = () => stall.abort(new LostConnection(`nothing arrived for ${stallTimeout} ms`));
  let timer = setTimeout(onStall, stallTimeout);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, stall.signal]),
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
      // A new deployment reuses file names: the HTTP cache may hold files of the previous model.
      cache: "no-cache",
    });
    if (!response.ok || !response.body) throw new RefusedRequest(response);
    if (start === 0) {
      const announced = Number(response.headers.get("content-length") ?? 0);
      if (announced > maxBytes) throw tooLarge(name, maxBytes, announced);
      onHeaders?.(response.headers);
      onAnswer?.(announced);
    }
    if (start > 0 && !response.headers.get("content-range")?.startsWith(`bytes ${start}-`)) yield "from the start";
    const reader = response.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(onStall, stallTimeout);
      yield next.value;
    }
  } catch (error) {
    if (stall.signal.aborted) throw stall.signal.reason;
    // fetch reports a network error as a TypeError, before and during the response.
    throw error instanceof TypeError ? new LostConnection(error.message, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    // Cancels the response if it was not read to its end.
    stall.abort();
  }
}
