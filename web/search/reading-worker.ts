/** The worker that reads files and cuts them into passages, so that a long one never holds up a search. */
import { expose } from "comlink";
import { withPlainErrors } from "../../shared/encoder/worker.ts";
import { readableKind, readFile } from "../../shared/reading/read-file.ts";
import { type CutDocument, cutDocument } from "../../shared/search/passages.ts";

/** Rejects as `readFile` of shared/reading does. */
export type ReadDocument = (id: string, file: File) => Promise<CutDocument>;

const readDocument: ReadDocument = withPlainErrors(async (id, file) => {
  // Before the bytes are fetched.
  readableKind(id, file.size);
  const bytes = new Uint8Array(await file.arrayBuffer());
  return cutDocument({ id, ...(await readFile(id, bytes)) });
});

expose(readDocument);
