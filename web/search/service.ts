/**
 * The interface between the page and the search. All values can be cloned, because another tab may answer: one of several tabs has
 * the encoder and the index.
 */
import type { ProxyMarked } from "../../shared/comlink.ts";
import type { Place } from "../../shared/index/spans.ts";
import type { Answer, PassageRelevance, SearchOptions } from "../../shared/search/answer.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { Document, ExampleQuery } from "../../shared/search/library.ts";
import type { DeviceChoice } from "../encoder/device-router.ts";
import type { DownloadProgress } from "../encoder/download.ts";
import type { BrowserEncoderOptions } from "../encoder/encoder.ts";

/**
 * Starts the search in a worker.
 * @param onState called with the state at once and after changes, a few times a second at most
 */
export type OpenSearch = (
  options: Pick<BrowserEncoderOptions, "device" | "workers">,
  onState: (state: SearchState) => void,
) => Promise<SearchService & ProxyMarked>;

/** The state of the model. */
export type ModelState =
  /** Bytes of the download; `total` is 0 until it is known. After the last byte the model is started. */
  | ({ readonly phase: "loading" } & DownloadProgress)
  /** `kept`: whether the browser has stored the model for the next visit. */
  | ({ readonly phase: "ready"; readonly kept: boolean } & DeviceChoice)
  | { readonly phase: "failed"; readonly message: string };

/** A file that could not be added. `message` is a sentence that starts with the file's name. */
export interface FileProblem {
  readonly path: string;
  readonly message: string;
}

/** The progress of indexing. */
export interface Indexing {
  /** `reading`: files are read and split; `embedding`: passages are embedded; `paused`: neither. */
  readonly phase: "reading" | "embedding" | "paused";
  /** Files of the latest addition: read or failed, and all. Null when no file is being read. */
  readonly files: Coverage | null;
  /** Over the last seconds; null until it is known. */
  readonly passagesPerSecond: number | null;
  /** s; null until it is known. */
  readonly secondsLeft: number | null;
}

/** A connected folder. */
export interface ConnectedFolder {
  readonly name: string;
  /** `asks`: the browser needs the visitor's permission to read it again. */
  readonly access: "granted" | "asks";
}

/** A set of documents with a search of its own. */
export interface CollectionState {
  readonly id: string;
  readonly name: string;
  /** The number of the visitor's documents. */
  readonly documents: number;
  /** The number of their passages. */
  readonly passages: number;
  readonly coverage: Coverage;
  /** Size of its texts and vectors. */
  readonly bytes: number;
  /** Of the model that made its vectors; null before the first. */
  readonly fingerprint: string | null;
  /** Whether it is being embedded again because the model changed. */
  readonly modelChanged: boolean;
  /** Null when there is nothing to do. */
  readonly indexing: Indexing | null;
  readonly folder: ConnectedFolder | null;
  /** Files of the latest addition that could not be added. */
  readonly problems: readonly FileProblem[];
  /** Increases with each change to its documents. */
  readonly version: number;
}

/** Whether documents are stored for the next visit. */
export interface StorageState {
  /** `browser`: until the browser needs the space; `persistent`: until the visitor deletes them; `tab`: not at all. */
  readonly kept: "browser" | "persistent" | "tab";
  /** Why something could not be stored, and what to do. */
  readonly problem: string | null;
}

/** The same in all tabs. */
export interface SearchState {
  readonly model: ModelState;
  /** At least one, in the order of creation. */
  readonly collections: readonly CollectionState[];
  readonly storage: StorageState;
}

/** A document in a list. */
export interface DocumentState {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  /** UTF-16 code units of its text. */
  readonly length: number;
  readonly passages: number;
  readonly coverage: Coverage;
  /** Whether it is searchable by keyword only, because it is not English. */
  readonly keywordOnly: boolean;
}

/** A dropped or chosen file, with its path in the dropped folder: "notes/heating.md". */
export interface AddedFile {
  readonly path: string;
  readonly file: File;
}

/** A text's L2-normalized vector, and the time in ms. */
export interface EmbeddedText {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly time: number;
}

/** Rejections are plain objects: see `EncoderError.from`. An unknown collection or document rejects with `not_found`. */
export interface SearchService {
  state(): Promise<SearchState>;
  /** Example queries of the built-in documents, answered before the model is loaded. */
  examples(): Promise<readonly ExampleQuery[]>;
  /** Resolves when the model is loaded. After a failure, this and every call that needs the model try again. */
  load(): Promise<void>;

  /** Null when a later search of this tab replaced it. Keyword search while the model loads. */
  search(collection: string, query: string, options?: Omit<SearchOptions, "signal">): Promise<Answer | null>;
  /** The relevance of each passage of a document, in order: a heat map. Waits for the model. */
  relevanceIn(collection: string, document: string, query: string): Promise<PassageRelevance[]>;
  /** The sentence most similar to the query, of the passage that begins at `start`. Waits for the model. */
  closestSentence(collection: string, document: string, start: number, query: string): Promise<Place | null>;

  /** By id, without the built-in ones. */
  documents(collection: string): Promise<readonly DocumentState[]>;
  document(collection: string, id: string): Promise<Document>;

  /** Adds a pasted text; resolves when it is searchable by keyword. Rejects with `empty_input`. */
  addText(collection: string, text: string): Promise<void>;
  /**
   * Reads files and adds them; resolves when they are searchable by keyword. The state lists files that fail. Overlapping calls are
   * one addition.
   */
  addFiles(collection: string, files: readonly AddedFile[]): Promise<void>;
  remove(collection: string, documents: readonly string[]): Promise<void>;

  /** Reads a folder and follows its changes. The page must have the permission. */
  connectFolder(collection: string, folder: FileSystemDirectoryHandle): Promise<void>;
  /** The connected folder. Only a page can request its permission. */
  folder(collection: string): Promise<FileSystemDirectoryHandle | null>;
  /** Reads the changes in the folder, when the permission is granted. */
  refreshFolder(collection: string): Promise<void>;
  disconnectFolder(collection: string): Promise<void>;

  pause(collection: string): Promise<void>;
  resume(collection: string): Promise<void>;
  /** Stops reading files. Those that are read stay. */
  stopReading(collection: string): Promise<void>;

  /** Its id. */
  createCollection(name: string): Promise<string>;
  renameCollection(collection: string, name: string): Promise<void>;
  deleteCollection(collection: string): Promise<void>;
  /** The collection as an index file. */
  exportCollection(collection: string): Promise<Blob>;
  /**
   * Imports an index file as a new collection; resolves to its id. Documents of another model are embedded again. Rejects as
   * `readIndexFile` does.
   */
  importCollection(name: string, file: Blob): Promise<string>;

  embed(text: string): Promise<EmbeddedText>;
}
