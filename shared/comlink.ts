/**
 * Comlink whose errors cross threads typed. Comlink itself carries only `name`, `message` and `stack` of an error. Both ends must import
 * Comlink's `expose` and `wrap` from here.
 */
import { type TransferHandler, transferHandlers } from "comlink";
import { EncoderError, type PlainEncoderError } from "./errors.ts";

export { type Endpoint, expose, type ProxyMarked, proxy, type Remote, releaseProxy, transfer, wrap } from "comlink";

// Comlink's own handler knows which values stand for a thrown error: its marker is not exported.
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
