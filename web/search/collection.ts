import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { ScanCodes } from "../../shared/index/vector-codes.ts";
import { titleOf } from "../../shared/reading/title.ts";
import type { Coverage } from "../../shared/search/embedding-queue.ts";
import type { IndexStore } from "../../shared/search/index-store.ts";
import type { Library } from "../../shared/search/library.ts";
import { type ChunkedDocument, chunkDocument, isKeywordOnly } from "../../shared/search/passages.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import type { CollectionRecord, CollectionStore } from "./collection-store.ts";
import type { DocumentReader } from "./document-reader.ts";
import { accessTo, changesIn } from "./followed-folder.ts";
import { Pace } from "./pace.ts";
import type { AddedFile, CollectionState, ConnectedFolder, DocumentState, FileProblem } from "./service.ts";

export interface CollectionOptions {
  readonly record: CollectionRecord;
  /** Null when nothing is stored. */
  readonly store: CollectionStore | null;
  readonly encoder: Encoder;
  readonly library: Library;
  readonly scan: ScanCodes | undefined;
  readonly reader: DocumentReader;
  /** Called when `state()` changes. */
  readonly onChange: () => void;
}

/** Documents per batch, and ms after which a smaller batch is indexed. */
const documentsPerPut = 32;
const maxWait = 250;

/** ms between calls of one addition: the page sends many files in parts. */
const maxGap = 2_000;

/** Whether another model made the stored vectors, so that they must be embedded again. */
export function isOfOtherModel({ fingerprint }: CollectionRecord, current: string | null): boolean {
  return fingerprint !== null && fingerprint !== current;
}

/** A set of documents with its search engine, its record in the store, and the additions in progress. */
export class Collection {
  readonly engine: SearchEngine;
  readonly #options: CollectionOptions;
  #record: CollectionRecord;
  #version = 0;
  #deleted = false;
  #reading: { done: number; total: number } | null = null;
  #problems: readonly FileProblem[] = [];
  #access: ConnectedFolder["access"] = "asks";
  /** The current addition of files, and when its last file was read. */
  #filesAddition = 0;
  #readUntil = Number.NEGATIVE_INFINITY;
  #addition = new AbortController();
  /** Aborts when the followed folder is disconnected or replaced. */
  #folderEnd = new AbortController();
  #scan: Promise<void> | null = null;
  readonly #pace = new Pace();

  private constructor(options: CollectionOptions) {
    const { encoder, library, store, record, scan } = options;
    this.#options = options;
    this.#record = record;
    this.engine = new SearchEngine(encoder, library, this.#withUpdates(store?.indexStore(record.id) ?? null), scan);
  }

  /** Opens a stored collection. It is searchable when this resolves; passages are embedded once the model is loaded. */
  static async open(options: CollectionOptions): Promise<Collection> {
    const collection = new Collection(options);
    await collection.#restore();
    return collection;
  }

  state(): CollectionState {
    const { id, name, documents, passages, coverage, bytes, fingerprint, folder } = this.#record;
    return {
      id,
      name,
      documents,
      passages,
      coverage,
      bytes,
      fingerprint,
      modelChanged: this.#record.modelChanged ?? false,
      indexing: this.#indexing(coverage),
      folder: folder && { name: folder.handle.name, access: this.#access },
      problems: this.#problems,
      version: this.#version,
    };
  }

  documents(): DocumentState[] {
    return this.engine
      .entries()
      .map((entry) => ({
        id: entry.document.id,
        title: entry.document.title,
        kind: entry.document.kind,
        length: entry.document.text.length,
        passages: entry.passages.length,
        coverage: { done: entry.embedded, total: entry.readable },
        keywordOnly: isKeywordOnly(entry),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Adds a pasted text; the same text is added once. Rejects with `empty_input`. */
  async addText(text: string): Promise<void> {
    const hash = await sha256Hex(new TextEncoder().encode(text));
    const document = await chunkDocument({ id: `pasted/${hash.slice(0, 12)}`, title: titleOf(text), kind: "pasted", text });
    await this.#put([document], this.engine.newAddition());
  }

  /** Reads files and adds them, small ones first; resolves when they are searchable by keyword. The state lists files that fail. */
  async addFiles(files: readonly AddedFile[]): Promise<void> {
    await this.#read(files, this.#addition.signal);
  }

  /** As {@link addFiles}, until the signal aborts. Resolves to the paths of files that another attempt may read: the reader failed, or stopped. */
  async #read(files: readonly AddedFile[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (!this.#reading && performance.now() - this.#readUntil > maxGap) {
      this.#problems = [];
      this.#filesAddition = this.engine.newAddition();
    }
    const addition = this.#filesAddition;
    this.#reading ??= { done: 0, total: 0 };
    // Overlapping calls share the counts; any of them may end last.
    const reading = this.#reading;
    reading.total += files.length;
    this.#changed();
    const unread = new Set(files.map(({ path }) => path));
    let done = 0;
    let read: ChunkedDocument[] = [];
    let began = performance.now();
    const put = async () => {
      const documents = read;
      read = [];
      began = performance.now();
      if (documents.length > 0) await this.#put(documents, addition);
    };
    for (const { path, file } of [...files].sort((a, b) => a.file.size - b.file.size)) {
      if (signal.aborted) break;
      try {
        read.push(await this.#options.reader.read(path, file, signal));
        unread.delete(path);
      } catch (error) {
        if (signal.aborted) break;
        const { code, message } = EncoderError.from(error);
        if (code !== "timeout" && code !== "worker_died") unread.delete(path);
        this.#problems = [...this.#problems, { path, message: `${path} ${message}.` }];
      }
      reading.done += 1;
      done += 1;
      if (read.length >= documentsPerPut || performance.now() - began > maxWait) await put();
      this.#changed();
    }
    if (!this.#deleted) await put();
    reading.total -= files.length - done;
    if (this.#reading === reading && reading.done === reading.total) this.#reading = null;
    this.#readUntil = performance.now();
    this.#changed();
    return unread;
  }

  /** Imports an index file. Without vectors of this model its documents are searchable by keyword and embedded again. */
  async importIndex(file: Uint8Array<ArrayBuffer>): Promise<void> {
    const fingerprint = await this.engine.importIndex(file, { reembed: true });
    if (fingerprint !== this.engine.fingerprint) this.#record = { ...this.#record, modelChanged: true };
    await this.#summarize();
  }

  async remove(documents: readonly string[]): Promise<void> {
    await this.engine.remove(documents);
    await this.#summarize();
  }

  /** Connects a folder in place of the previous one, whose documents stay. */
  async connectFolder(handle: FileSystemDirectoryHandle): Promise<void> {
    this.#endFolder();
    await this.#updateRecord({ folder: { handle, files: {} } });
    await this.#scan;
    await this.refreshFolder();
  }

  get folder(): FileSystemDirectoryHandle | null {
    return this.#record.folder?.handle ?? null;
  }

  /** Reads the changes in the folder, when the permission is granted. A call during a scan waits for it. */
  async refreshFolder(): Promise<void> {
    this.#scan ??= this.#scanFolder().finally(() => {
      this.#scan = null;
    });
    await this.#scan;
  }

  async #scanFolder(): Promise<void> {
    const { folder } = this.#record;
    if (!folder) return;
    this.#access = await accessTo(folder.handle);
    this.#changed();
    if (this.#access !== "granted") return;
    const { signal: ended } = this.#folderEnd;
    try {
      const { changed, gone, files } = await changesIn(folder);
      // Before the removal, so that a renamed file reuses its vectors.
      const unread = changed.length > 0 ? await this.#read(changed, AbortSignal.any([this.#addition.signal, ended])) : new Set<string>();
      if (ended.aborted) return;
      if (gone.length > 0) await this.remove(gone);
      if (ended.aborted || changed.length + gone.length === 0) return;
      const read = Object.fromEntries(Object.entries(files).filter(([path]) => !unread.has(path)));
      await this.#updateRecord({ folder: { ...folder, files: read } });
    } catch {
      if (ended.aborted) return;
      this.#problems = [{ path: folder.handle.name, message: `${folder.handle.name} cannot be read: it may have been moved.` }];
      this.#changed();
    }
  }

  async disconnectFolder(): Promise<void> {
    this.#endFolder();
    await this.#updateRecord({ folder: null });
  }

  /** Stops embedding until it is resumed, also by a later visit. */
  async pause(): Promise<void> {
    this.engine.pause();
    await this.#updateRecord({ paused: true });
  }

  async resume(): Promise<void> {
    this.engine.resume();
    await this.#updateRecord({ paused: false });
  }

  /** Stops reading files. Those that are read stay. */
  stopReading(): void {
    this.#addition.abort();
    this.#addition = new AbortController();
  }

  /** Stops the scan of the folder, which must not write its record any more. */
  #endFolder(): void {
    this.#folderEnd.abort();
    this.#folderEnd = new AbortController();
  }

  async rename(name: string): Promise<void> {
    await this.#updateRecord({ name });
  }

  /** Stops all work and deletes the stored data. */
  async delete(): Promise<void> {
    this.#deleted = true;
    this.#addition.abort();
    this.engine.pause();
    await this.#options.store?.deleteCollection(this.#record.id);
  }

  async #restore(): Promise<void> {
    const { store, record } = this.#options;
    if (record.paused) this.engine.pause();
    for await (const documents of store?.documents(record.id) ?? []) await this.engine.restore(documents, record.fingerprint);
    if (record.folder) this.#access = await accessTo(record.folder.handle);
    await this.#summarize();
  }

  async #put(documents: readonly ChunkedDocument[], addition: number): Promise<void> {
    await this.engine.put(documents, { addition });
    await this.#summarize();
  }

  /** A store that also updates the record when vectors are stored. */
  #withUpdates(store: IndexStore | null): IndexStore {
    return {
      putDocuments: async (...change) => store?.putDocuments(...change),
      putVectors: async (...change) => {
        await store?.putVectors(...change);
        await this.#summarize();
      },
      removeDocuments: async (ids) => store?.removeDocuments(ids),
    };
  }

  #indexing({ done, total }: Coverage): CollectionState["indexing"] {
    if (!this.#reading && done === total) return null;
    const { perSecond } = this.#pace;
    return {
      phase: this.#record.paused ? "paused" : this.#reading ? "reading" : "embedding",
      files: this.#reading && { ...this.#reading },
      passagesPerSecond: perSecond,
      secondsLeft: perSecond ? (total - done) / perSecond : null,
    };
  }

  /** Updates the counts in the record, so that a collection can be listed without being opened. */
  async #summarize(): Promise<void> {
    const entries = this.engine.entries();
    const coverage = this.engine.coverage();
    let [characters, passages] = [0, 0];
    for (const entry of entries) {
      characters += entry.document.text.length;
      passages += entry.passages.length;
    }
    this.#pace.count(coverage.done);
    this.#version += 1;
    const bytes = 2 * characters + 4 * coverage.done * this.engine.dimensions;
    const modelChanged =
      coverage.done < coverage.total && (this.#record.modelChanged || isOfOtherModel(this.#record, this.engine.fingerprint));
    const fingerprint = coverage.done > 0 ? this.engine.fingerprint : this.#record.fingerprint;
    await this.#updateRecord({ documents: entries.length, passages, coverage, bytes, modelChanged, fingerprint });
  }

  async #updateRecord(patch: Partial<CollectionRecord>): Promise<void> {
    this.#record = { ...this.#record, ...patch };
    this.#changed();
    // A batch that was running during the deletion must not recreate the record.
    if (!this.#deleted) await this.#options.store?.putCollection(this.#record);
  }

  #changed(): void {
    this.#options.onChange();
  }
}
