/**
 * All error codes with their HTTP status, their error type in Text Embeddings Inference, and whether the same call may succeed later.
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

/** Position and limits of an error. They never contain the text, which is private. */
export interface ErrorDetails {
  /** Index of the text in its request. */
  readonly index?: number;
  /** The exceeded limit, in the unit of the message. */
  readonly limit?: number;
  /** The actual value. */
  readonly found?: number;
  /** Whole seconds after which a retry is likely to succeed. */
  readonly retryAfter?: number;
  /** Path of the field in the request body, such as `inputs.3`. */
  readonly path?: string;
}

/** An {@link EncoderError} as a plain object for `postMessage` and JSON. */
export interface PlainEncoderError {
  readonly name: "EncoderError";
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/**
 * An error with a stable `code`, for callers to handle. The message never contains a user's text.
 * @example
 * if (error instanceof EncoderError && error.code === "overloaded") await delay(1000 * (error.details.retryAfter ?? 1));
 */
export class EncoderError extends Error {
  override readonly name = "EncoderError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  /** HTTP status of the error. */
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

  /** Returns the same error with another `details.index`. */
  at(index: number): EncoderError {
    return new EncoderError(this.code, this.message, { ...this.details, index }, { cause: this.cause });
  }

  /** Returns a plain object that `EncoderError.from` restores. */
  toPlain(): PlainEncoderError {
    return { name: "EncoderError", code: this.code, message: this.message, details: this.details };
  }

  /**
   * Converts any thrown value to an `EncoderError`. Restores plain objects from other threads, because Comlink transfers only `name`,
   * `message` and `stack` of an `Error`. Other values become an error with the code `fallback` and the value as `cause`.
   */
  static from(thrown: unknown, fallback: ErrorCode = "internal"): EncoderError {
    if (thrown instanceof EncoderError) return thrown;
    if (isPlainEncoderError(thrown)) return new EncoderError(thrown.code, thrown.message, thrown.details);
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return new EncoderError(fallback, `${fallbackMessages[fallback] ?? "Internal error"}: ${reason}`, {}, { cause: thrown });
  }
}

const fallbackMessages: { readonly [code in ErrorCode]?: string } = {
  load_failed: "The model could not be loaded",
  inference_failed: "Inference failed for this text",
  worker_died: "The worker died",
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
