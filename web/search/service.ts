/**
 * What the page asks of the search, and what it is told. All of it can be cloned, because it may be another tab that
 * answers: of several tabs one has the encoder and the index.
 */
import type { ProxyMarked } from "../../shared/comlink.ts";
import type { Answer, PassageRelevance, Place, SearchOptions } from "../../shared/search/answer.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { Document, ExampleQuery } from "../../shared/search/library.ts";
import type { DeviceChoice } from "../encoder/device-router.ts";
import type { DownloadProgress } from "../encoder/download.ts";
import type { BrowserEncoderOptions } from "../encoder/encoder.ts";

/**
 * Opens the search in a worker.
 * @param onState told the state at once and whenever it has changed, a few times a second at most
 */
export type OpenSearch = (
  options: Pick<BrowserEncoderOptions, "device" | "workers">,
  onState: (state: SearchState) => void,
) => Promise<SearchService & ProxyMarked>;

/** Where the model is. */
export type ModelState =
  /** Bytes of the download; `total` is 0 until it is known. When all have come, the model is being started. */
  | ({ readonly phase: "loading" } & DownloadProgress)
  /** `kept` tells whether the next visit will find the model in the browser. */
  | ({ readonly phase: "ready"; readonly kept: boolean } & DeviceChoice)
  | { readonly phase: "failed"; readonly message: string };

/** A file that could not be taken, and why: `message` is a sentence that begins with the file's name. */
export interface FileProblem {
  readonly path: string;
  readonly message: string;
}

/** Work on a collection that is under way. */
export interface Indexing {
  /** Files are read and cut into passages; passages are embedded; or neither, until it is resumed. */
  readonly phase: "reading" | "embedding" | "paused";
  /** Files of the latest addition that have been read (or refused), and all of them. Null when none is being read. */
  readonly files: Coverage | null;
  /** Over the last seconds; null until it can be told. */
  readonly passagesPerSecond: number | null;
  /** s; null until it can be told. */
  readonly secondsLeft: number | null;
}

/** A folder of the disk that a collection follows. */
export interface ConnectedFolder {
  readonly name: string;
  /** `asks`: the browser wants the visitor's leave before it is read again. */
  readonly access: "granted" | "asks";
}

/** A set of documents that is searched by itself. */
export interface CollectionState {
  readonly id: string;
  readonly name: string;
  /** Documents of the visitor, without the built-in ones. */
  readonly documents: number;
  /** Their passages, and how many of those that the model can read can be found by meaning. */
  readonly passages: number;
  readonly coverage: Coverage;
  /** Of its texts and vectors. */
  readonly bytes: number;
  /** Of the model that its vectors were made with; null before the first. */
  readonly fingerprint: string | null;
  /** Whether another model has embedded it, so that it is being embedded anew: words find all, meaning what is done. */
  readonly modelChanged: boolean;
  /** Null when nothing is to be done. */
  readonly indexing: Indexing | null;
  readonly folder: ConnectedFolder | null;
  /** What of the latest addition could not be taken. */
  readonly problems: readonly FileProblem[];
  /** Rises with each change to its documents: what `documents` gave before is out of date. */
  readonly version: number;
}

/** Whether what was added is there at the next visit. */
export interface StorageState {
  /** `browser`: until the browser needs the room; `persistent`: until the visitor deletes it; `tab`: not at all. */
  readonly kept: "browser" | "persistent" | "tab";
  /** Why something could not be kept, and what to do. */
  readonly problem: string | null;
}

/** The same in all tabs. */
export interface SearchState {
  readonly model: ModelState;
  /** At least one. In the order of their making. */
  readonly collections: readonly CollectionState[];
  readonly storage: StorageState;
}

/** A document as a list shows it. */
export interface DocumentState {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  /** UTF-16 code units of its text. */
  readonly length: number;
  readonly passages: number;
  readonly coverage: Coverage;
  /** Whether the model cannot read it, for it is not English: words find it, meaning does not. */
  readonly keywordOnly: boolean;
}

/** A file that was dropped or chosen, with its path within what was dropped: "notes/heating.md". */
export interface AddedFile {
  readonly path: string;
  readonly file: File;
}

/** A text's vector, L2-normalized, and how long it took in ms. */
export interface EmbeddedText {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly time: number;
}

/** Rejections are plain objects: see `EncoderError.from`. Calls that name a collection or document which is gone reject with `not_found`. */
export interface SearchService {
  state(): Promise<SearchState>;
  /** Queries of the built-in documents, which are answered before the model is there. */
  examples(): Promise<readonly ExampleQuery[]>;
  /** Resolves when the model is there. After a failure it is tried once more, here and by every call that needs it. */
  load(): Promise<void>;

  /** Null when a later search of this tab has taken this one's place. By words alone while the model loads. */
  search(collection: string, query: string, options?: Omit<SearchOptions, "signal">): Promise<Answer | null>;
  /** How near the query is to each passage of a document, in order: a heat map. Waits for the model. */
  relevanceIn(collection: string, document: string, query: string): Promise<PassageRelevance[]>;
  /** The sentence closest to the query in meaning, of the passage that begins at `start`. Waits for the model. */
  closestSentence(collection: string, document: string, start: number, query: string): Promise<Place | null>;

  /** In the order of their ids. Without the built-in ones. */
  documents(collection: string): Promise<readonly DocumentState[]>;
  document(collection: string, id: string): Promise<Document>;

  /** Adds a text that was pasted; resolves when words find it. Rejects with `empty_input`. */
  addText(collection: string, text: string): Promise<void>;
  /**
   * Reads files and adds them; resolves when words find them all. Those that cannot be taken are told in the state. Calls may
   * overlap: they are one addition.
   */
  addFiles(collection: string, files: readonly AddedFile[]): Promise<void>;
  remove(collection: string, documents: readonly string[]): Promise<void>;

  /** Reads a folder and follows it: what was read from it before and is not there any more goes. The page has its leave. */
  connectFolder(collection: string, folder: FileSystemDirectoryHandle): Promise<void>;
  /** The folder that is followed, for which only a page can ask the visitor's leave. */
  folder(collection: string): Promise<FileSystemDirectoryHandle | null>;
  /** Looks for changes in the folder, as far as it may be read. */
  refreshFolder(collection: string): Promise<void>;
  disconnectFolder(collection: string): Promise<void>;

  pause(collection: string): Promise<void>;
  resume(collection: string): Promise<void>;
  /** Reads and embeds no more of what is under way: what was not embedded yet goes. */
  cancel(collection: string): Promise<void>;

  /** Its id. */
  createCollection(name: string): Promise<string>;
  renameCollection(collection: string, name: string): Promise<void>;
  deleteCollection(collection: string): Promise<void>;
  /** The collection as an index file. */
  exportCollection(collection: string): Promise<Blob>;
  /**
   * Makes a collection of an index file; its id. When another model has made it, its documents are embedded anew. Rejects as
   * `readIndexFile` does when it is not a good one.
   */
  importCollection(name: string, file: Blob): Promise<string>;

  embed(text: string): Promise<EmbeddedText>;
}
