/** Bytes do not have the expected format. The message completes “The index file is not valid: …”. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
