/** Worker thread of `POST /search`: loads and searches the index file. */
import { readFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { expose } from "../../shared/comlink.ts";
import type { SearchRequest, SearchResponse } from "../../shared/contract.ts";
import type { Embeddings, Model } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { type EmbeddedQuery, searchDocuments } from "../document-search.ts";
import { loadScan } from "./scan.ts";

/** The main thread's encoder, a Comlink proxy. */
export interface PassageEncoder {
  load(): Promise<Model>;
  embed(texts: string | readonly string[]): Promise<Embeddings>;
}

export interface OpenedIndex {
  /** Fingerprint of the index's model. */
  readonly fingerprint: string;
  /** Dimensions of the vectors; 0 without vectors. */
  readonly dimensions: number;
  readonly coverage: Coverage;
}

/** The worker's Comlink interface. */
export interface RemoteIndex {
  /** Loads the index file. Must be called once, before other methods. Rejects with `index_unavailable`. */
  open(path: string, encoder: PassageEncoder): Promise<OpenedIndex>;
  /** Embeds passages without a vector. The encoder must have the index's model. */
  embedMissing(): Promise<void>;
  /** @param embedded null for keyword search */
  search(request: SearchRequest, embedded: EmbeddedQuery | null): Promise<SearchResponse>;
}

if (!parentPort) throw new Error("index-worker.js must run as a worker thread (index-thread.js)");
let engine: SearchEngine | null = null;

const opened = (): SearchEngine => {
  if (!engine) throw new EncoderError("internal", "The index worker was called before `open`");
  return engine;
};

const remote: RemoteIndex = {
  async open(path, encoder) {
    try {
      const remoteEncoder = { load: () => encoder.load(), embed: (texts: string | readonly string[]) => encoder.embed(texts) };
      const opening = new SearchEngine(remoteEncoder, null, null, await loadScan());
      const fingerprint = await opening.importIndex(new Uint8Array(await readFile(path)));
      engine = opening;
      return { fingerprint, dimensions: opening.dimensions, coverage: opening.coverage() };
    } catch (error) {
      throw new EncoderError("index_unavailable", reasonOf(error));
    }
  },
  embedMissing: async () => opened().load(),
  search: async (request, embedded) => searchDocuments(opened(), request, { embedded }),
};
expose(remote, nodeEndpoint(parentPort));

/** A public message. File system errors contain the path, so only their code is used. */
function reasonOf(error: unknown): string {
  if (error instanceof EncoderError) return error.message;
  return `The index file cannot be read${error instanceof Error && "code" in error ? ` (${error.code})` : ""}`;
}
