/** The worker that reads files and cuts them into passages, so that a long one never holds up a search. */
import { expose } from "comlink";
import { withPlainErrors } from "../../shared/encoder/worker.ts";
import { EncoderError } from "../../shared/errors.ts";
import { type CutDocument, cutDocument } from "../../shared/search/passages.ts";

export type ReadDocument = (id: string, file: File) => Promise<CutDocument>;

const readDocument: ReadDocument = withPlainErrors(async (id, file) => {
  const text = await file.text();
  if (text.trim() === "") throw new EncoderError("empty_input", "has no text in it");
  return cutDocument({ id, title: id, kind: id.split(".").at(-1) ?? "", text });
});

expose(readDocument);
