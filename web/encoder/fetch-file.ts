import { EncoderError } from "../../shared/errors.ts";

/** How often a file is asked for when its connection is cut, the first time included. */
const mostAttempts = 4;

/** The wait before the second attempt, in ms. It doubles with each. */
const firstDelay = 500;

/** A download of which nothing has come for so long, in ms, is taken for cut. */
const defaultStallTimeout = 30_000;

export interface FetchOptions {
  /** How the file is called in errors. */
  readonly name: string;
  /** In bytes; what ends before is incomplete. Left out where it is not known. */
  readonly bytes?: number;
  /** Default 4. */
  readonly attempts?: number;
  /** In ms. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  readonly onBytes?: (loaded: number) => void;
  /** Told how many bytes the whole file has, as the server says it: those on the way, where it compresses. */
  readonly onAnswer?: (bytes: number) => void;
  /** Told the headers of the first answer. */
  readonly onHeaders?: (headers: Headers) => void;
  /** More bytes than these are refused with `file_too_large`, by the length that the server announces and as they come. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
}

/** A file, and whether it was put together from the answers to several requests. */
export interface FetchedFile {
  readonly blob: Blob;
  readonly resumed: boolean;
}

/** The cause of the error of a file that the server refused. */
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
 * Fetches a file. Where the connection is cut it goes on with what is missing, or from the start when the server gives
 * no ranges. Rejects with `load_failed` when the server refuses, or when the connection was cut too often; with the
 * signal's reason.
 */
export async function fetchFile(url: URL, options: FetchOptions): Promise<FetchedFile> {
  const { name, bytes, attempts = mostAttempts, maxBytes = Number.POSITIVE_INFINITY, onBytes, signal } = options;
  let parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  let resumed = false;
  const receive = async () => {
    for await (const chunk of answerTo(url, loaded, options)) {
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
    if (bytes !== undefined && loaded < bytes) throw new CutConnection(`it ended after ${loaded} of ${bytes} bytes`);
  };
  for (let attempt = 1; ; attempt++) {
    try {
      await receive();
      return { blob: new Blob(parts), resumed };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EncoderError) throw error;
      if (!(error instanceof CutConnection) || attempt >= attempts) {
        const reason = error instanceof Error ? error.message : error;
        throw new EncoderError("load_failed", `${name} could not be fetched: ${reason}`, {}, { cause: error });
      }
    }
    resumed = loaded > 0;
    await new Promise((resolve) => setTimeout(resolve, firstDelay * 2 ** (attempt - 1)));
  }
}

function tooLarge(name: string, limit: number, found: number): EncoderError {
  return new EncoderError("file_too_large", `${name} has more than the ${limit} bytes that may be downloaded`, { limit, found });
}

/** What another request may cure. */
class CutConnection extends Error {}

/** What comes of a file, from a byte on. Told first when the server begins with the first byte all the same. */
async function* answerTo(
  url: URL,
  start: number,
  { name, stallTimeout = defaultStallTimeout, maxBytes = Number.POSITIVE_INFINITY, onAnswer, onHeaders, signal }: FetchOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer> | "from the start"> {
  const stall = new AbortController();
  const onStall = () => stall.abort(new CutConnection(`nothing arrived for ${stallTimeout} ms`));
  let timer = setTimeout(onStall, stallTimeout);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, stall.signal]),
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
      // Names stay when a site is deployed anew: what a browser has under them may be the last model's.
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
    // What fetch calls a network error is a TypeError, before the answer and within it.
    throw error instanceof TypeError ? new CutConnection(error.message, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    // Nothing more is read of what is refused or given up.
    stall.abort();
  }
}
