/**
 * Everything that can go wrong with a request, in one place: what it is called, which HTTP status and which error type
 * of Text Embeddings Inference stand for it, and whether the same call may succeed later.
 */
const errorTable = {
  invalid_json: { status: 400, type: "Validation", retryable: false },
  invalid_request: { status: 422, type: "Validation", retryable: false },
  empty_input: { status: 400, type: "Empty", retryable: false },
  too_many_texts: { status: 413, type: "Validation", retryable: false },
  too_many_tokens: { status: 413, type: "Validation", retryable: false },
  body_too_large: { status: 413, type: "Validation", retryable: false },
  text_too_long: { status: 413, type: "Validation", retryable: false },
  invalid_dimensions: { status: 413, type: "Validation", retryable: false },
  quarantined_text: { status: 422, type: "Validation", retryable: false },
  lone_surrogate: { status: 422, type: "Tokenizer", retryable: false },
  not_an_index: { status: 422, type: "Validation", retryable: false },
  unknown_index_version: { status: 422, type: "Validation", retryable: false },
  damaged_index: { status: 422, type: "Validation", retryable: false },
  invalid_index: { status: 422, type: "Validation", retryable: false },
  other_model: { status: 409, type: "Validation", retryable: false },
  unsupported_file: { status: 415, type: "Validation", retryable: false },
  file_too_large: { status: 413, type: "Validation", retryable: false },
  encrypted_file: { status: 422, type: "Validation", retryable: false },
  binary_file: { status: 422, type: "Validation", retryable: false },
  unreadable_file: { status: 422, type: "Validation", retryable: false },
  unsupported_media_type: { status: 415, type: "Validation", retryable: false },
  unknown_host: { status: 421, type: "Validation", retryable: false },
  request_timeout: { status: 408, type: "Validation", retryable: true },
  invalid_api_key: { status: 401, type: "Validation", retryable: false },
  model_not_found: { status: 404, type: "Validation", retryable: false },
  not_found: { status: 404, type: "Validation", retryable: false },
  method_not_allowed: { status: 405, type: "Validation", retryable: false },
  rate_limited: { status: 429, type: "Overloaded", retryable: true },
  overloaded: { status: 429, type: "Overloaded", retryable: true },
  inference_failed: { status: 424, type: "Backend", retryable: true },
  load_failed: { status: 503, type: "Backend", retryable: true },
  integrity_failed: { status: 503, type: "Backend", retryable: true },
  self_test_failed: { status: 503, type: "Backend", retryable: true },
  device_unavailable: { status: 503, type: "Backend", retryable: false },
  index_unavailable: { status: 503, type: "Backend", retryable: true },
  worker_died: { status: 503, type: "Backend", retryable: true },
  timeout: { status: 504, type: "Backend", retryable: true },
  disposed: { status: 503, type: "Backend", retryable: true },
  internal: { status: 500, type: "Backend", retryable: false },
} as const;

export type ErrorCode = keyof typeof errorTable;

/** Numbers that say what was wrong, and where: never the text itself, which is private. */
export interface ErrorDetails {
  /** Index of the text in its request. */
  readonly index?: number;
  /** The limit that was exceeded, in the unit that the message names. */
  readonly limit?: number;
  /** What was found instead. */
  readonly found?: number;
  /** When the same request is likely to be taken, in whole seconds from now. */
  readonly retryAfter?: number;
  /** Where in the request body, e.g. `inputs.3`. */
  readonly path?: string;
}

/** An {@link EncoderError} as a plain object, which survives `postMessage` and JSON. */
export interface PlainEncoderError {
  readonly name: "EncoderError";
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** An error with a code of the table above. Its message is fit to be shown to a caller. */
export class EncoderError extends Error {
  override readonly name = "EncoderError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  /** HTTP status. */
  get status() {
    return errorTable[this.code].status;
  }

  /** `error_type` of Text Embeddings Inference. */
  get type() {
    return errorTable[this.code].type;
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }

  /** The same error, of the text at `index`. */
  at(index: number): EncoderError {
    return new EncoderError(this.code, this.message, { ...this.details, index }, { cause: this.cause });
  }

  toPlain(): PlainEncoderError {
    return { name: "EncoderError", code: this.code, message: this.message, details: this.details };
  }

  /**
   * The same error from what crossed a thread: Comlink carries only `name`, `message` and `stack` of an `Error`, but
   * plain objects whole. Anything unknown becomes `fallback`, with its own message as the cause's.
   */
  static from(thrown: unknown, fallback: ErrorCode = "internal"): EncoderError {
    if (thrown instanceof EncoderError) return thrown;
    if (isPlainEncoderError(thrown)) return new EncoderError(thrown.code, thrown.message, thrown.details);
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return new EncoderError(fallback, `${fallbackMessages[fallback] ?? "Something went wrong"}: ${reason}`, {}, { cause: thrown });
  }
}

const fallbackMessages: { readonly [code in ErrorCode]?: string } = {
  load_failed: "The model could not be loaded",
  inference_failed: "The model failed on this text",
  worker_died: "The encoder's worker died",
};

function isPlainEncoderError(value: unknown): value is PlainEncoderError {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    value.name === "EncoderError" &&
    "code" in value &&
    typeof value.code === "string" &&
    Object.hasOwn(errorTable, value.code) &&
    "message" in value &&
    typeof value.message === "string" &&
    "details" in value &&
    typeof value.details === "object" &&
    value.details !== null
  );
}
