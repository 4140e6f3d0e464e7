/**
 * The worker that reads files and splits them into passages. A large file takes seconds, during which the search worker stays
 * responsive; a file that takes too long is ended by terminating this worker.
 */
import { expose } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import { readableKind, readFile } from "../../shared/reading/read-file.ts";
import { type ChunkedDocument, chunkDocument } from "../../shared/search/passages.ts";

/** Rejects as `readFile` of shared/reading does, and with `unreadable_file` when the file no longer exists. */
export type ReadDocument = (id: string, file: File) => Promise<ChunkedDocument>;

const readDocument: ReadDocument = async (id: string, file: File) => {
  readableKind(id, file.size);
  const bytes = await file.arrayBuffer().catch(() => {
    throw new EncoderError("unreadable_file", "no longer exists or cannot be read");
  });
  return chunkDocument({ id, ...(await readFile(id, new Uint8Array(bytes))) });
};

expose(readDocument);
