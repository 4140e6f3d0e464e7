/**
 * The worker that reads files and cuts them into passages. A large one takes it seconds, while the worker that started it
 * goes on searching; one that takes too long is ended with it.
 */
import { expose } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import { readableKind, readFile } from "../../shared/reading/read-file.ts";
import { type ChunkedDocument, chunkDocument } from "../../shared/search/passages.ts";

/** Rejects as `readFile` of shared/reading does, with `unreadable_file` also when the file is not there any more. */
export type ReadDocument = (id: string, file: File) => Promise<ChunkedDocument>;

const readDocument: ReadDocument = async (id: string, file: File) => {
  readableKind(id, file.size);
  const bytes = await file.arrayBuffer().catch(() => {
    throw new EncoderError("unreadable_file", "is not there any more, or may not be read");
  });
  return chunkDocument({ id, ...(await readFile(id, new Uint8Array(bytes))) });
};

expose(readDocument);
