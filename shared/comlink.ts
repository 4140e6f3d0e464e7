/**
 * Comlink with typed errors: an {@link EncoderError} keeps its code and details across threads. Comlink alone transfers only `name`,
 * `message` and `stack`. Both ends must import `expose` and `wrap` from this file.
 */
import { type TransferHandler, transferHandlers } from "comlink";
import { EncoderError, type PlainEncoderError } from "./errors.ts";

export { type Endpoint, expose, type ProxyMarked, proxy, type Remote, releaseProxy, transfer, wrap } from "comlink";

// Comlink does not export the marker of a thrown error, but its own handler recognizes it.
const comlinkErrors = transferHandlers.get("throw");
if (!comlinkErrors) throw new Error("Comlink has no transfer handler for errors");

const typedErrors: TransferHandler<{ readonly value: unknown }, PlainEncoderError> = {
  canHandle: (value): value is { readonly value: unknown } => comlinkErrors.canHandle(value),
  serialize: ({ value }) => [EncoderError.from(value).toPlain(), []],
  deserialize(plain) {
    throw EncoderError.from(plain);
  },
};
transferHandlers.set("throw", typedErrors);
