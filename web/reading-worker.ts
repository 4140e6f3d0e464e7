/**
 * The worker that reads files. A large one takes it seconds, while the worker that started it goes on searching; one that
 * takes too long is ended with it.
 */
import { expose } from "comlink";
import { withPlainErrors } from "../shared/encoder/worker.ts";
import { EncoderError } from "../shared/errors.ts";
import { type ReadText, readableKind, readFile } from "../shared/reading/read-file.ts";

/** What the worker answers to, over Comlink. Rejections are plain objects: see `EncoderError.from`. */
export interface ReadingService {
  /** Rejects as `readFile` of shared/reading does, with `unreadable_file` also when the file is not there any more. */
  readFile(path: string, file: File): Promise<ReadText>;
}

const service: ReadingService = {
  readFile: withPlainErrors(async (path: string, file: File) => {
    readableKind(path, file.size);
    const bytes = await file.arrayBuffer().catch(() => {
      throw new EncoderError("unreadable_file", "is not there any more, or may not be read");
    });
    return readFile(path, new Uint8Array(bytes));
  }),
};

expose(service);
