import type { Encoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
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
  /** Null where nothing is kept. */
  readonly store: CollectionStore | null;
  readonly encoder: Encoder;
  readonly library: Library;
  readonly reader: DocumentReader;
  /** Told whenever `state()` is another one. */
  readonly onChange: () => void;
}

/** How many documents are put into the search at once, and how long one may wait for the others, in ms. */
const documentsPerPut = 32;
const maxWait = 250;

/** Files that come within so many ms of those before are of the same addition: a page hands many over in parts. */
const maxGap = 2_000;

/** Whether vectors that are kept are of another model than the one here, and are to be made anew. */
export function isOfOtherModel({ fingerprint }: CollectionRecord, here: string | null): boolean {
  return fingerprint !== null && fingerprint !== here;
}

/** A set of documents: its search, what is kept of it, and what is being added to it. */
export class Collection {
  readonly engine: SearchEngine;
  readonly #options: CollectionOptions;
  #record: CollectionRecord;
  #version = 0;
  #paused = false;
  #deleted = false;
  #reading: { done: number; total: number } | null = null;
  #problems: readonly FileProblem[] = [];
  #access: ConnectedFolder["access"] = "asks";
  /** The addition that files belong to, and when the last of them was read. */
  #filesAddition = 0;
  #readUntil = Number.NEGATIVE_INFINITY;
  #addition = new AbortController();
  /** Documents that were added since all was embedded. */
  readonly #latest = new Set<string>();
  readonly #pace = new Pace();

  private constructor(options: CollectionOptions) {
    const { encoder, library, store, record } = options;
    this.#options = options;
    this.#record = record;
    this.engine = new SearchEngine(encoder, library, this.#withUpdates(store?.indexStore(record.id) ?? null));
  }

  /** Opens a collection with what was kept of it. It can be searched when this resolves; vectors are made once the model is there. */
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

  /** Adds a text that was pasted; the same text is added once. Rejects with `empty_input`. */
  async addText(text: string): Promise<void> {
    const hash = await sha256Hex(new TextEncoder().encode(text));
    const document = await chunkDocument({ id: `pasted/${hash.slice(0, 12)}`, title: titleOf(text), kind: "pasted", text });
    await this.#put([document], this.engine.newAddition());
  }

  /** Reads files and adds them, small ones first; resolves when words find them. What cannot be taken is told in the state. */
  async addFiles(files: readonly AddedFile[]): Promise<void> {
    const { signal } = this.#addition;
    if (!this.#reading && performance.now() - this.#readUntil > maxGap) {
      this.#problems = [];
      this.#filesAddition = this.engine.newAddition();
    }
    const addition = this.#filesAddition;
    this.#reading ??= { done: 0, total: 0 };
    // Calls that overlap count together, and each of them may be the last.
    const reading = this.#reading;
    reading.total += files.length;
    this.#changed();
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
      } catch (error) {
        if (signal.aborted) break;
        this.#problems = [...this.#problems, { path, message: `${path} ${EncoderError.from(error).message}.` }];
      }
      reading.done += 1;
      if (read.length >= documentsPerPut || performance.now() - began > maxWait) await put();
      this.#changed();
    }
    if (!signal.aborted) await put();
    if (this.#reading === reading && (reading.done === reading.total || signal.aborted)) this.#reading = null;
    this.#readUntil = performance.now();
    this.#changed();
  }

  /** Adds what an index file holds. Vectors of another model are left out: words find its documents, which are embedded anew. */
  async importIndex(file: Uint8Array<ArrayBuffer>): Promise<void> {
    const fingerprint = await this.engine.importIndex(file, { reembed: true });
    if (fingerprint !== this.engine.fingerprint) this.#record = { ...this.#record, modelChanged: true };
    await this.#summarize();
  }

  async remove(documents: readonly string[]): Promise<void> {
    await this.engine.remove(documents);
    for (const id of documents) this.#latest.delete(id);
    await this.#summarize();
  }

  /** Follows a folder instead of the one before, whose documents stay. */
  async connectFolder(handle: FileSystemDirectoryHandle): Promise<void> {
    await this.#keepRecord({ folder: { handle, files: {} } });
    await this.refreshFolder();
  }

  get folder(): FileSystemDirectoryHandle | null {
    return this.#record.folder?.handle ?? null;
  }

  /** Reads what has changed in the folder, as far as it may be read. */
  async refreshFolder(): Promise<void> {
    const { folder } = this.#record;
    if (!folder) return;
    this.#access = await accessTo(folder.handle);
    this.#changed();
    if (this.#access !== "granted" || this.#reading) return;
    try {
      const { changed, gone, files } = await changesIn(folder);
      // First, so that a file that was renamed takes over the vectors of what it was.
      if (changed.length > 0) await this.addFiles(changed);
      if (gone.length > 0) await this.remove(gone);
      if (changed.length + gone.length > 0) await this.#keepRecord({ folder: { ...folder, files } });
    } catch {
      this.#problems = [{ path: folder.handle.name, message: `${folder.handle.name} cannot be read any more: it may have been moved.` }];
      this.#changed();
    }
  }

  async disconnectFolder(): Promise<void> {
    await this.#keepRecord({ folder: null });
  }

  pause(): void {
    this.#paused = true;
    this.engine.pause();
    this.#changed();
  }

  resume(): void {
    this.#paused = false;
    this.engine.resume();
    this.#changed();
  }

  /** Reads no more files, and drops what was added since all was embedded and is not embedded itself. */
  async cancel(): Promise<void> {
    this.#addition.abort(new EncoderError("disposed", "was given up"));
    this.#addition = new AbortController();
    const unfinished = this.engine
      .entries()
      .filter(({ document, embedded, readable }) => this.#latest.has(document.id) && embedded < readable);
    await this.remove(unfinished.map(({ document }) => document.id));
    this.#latest.clear();
    this.resume();
  }

  async rename(name: string): Promise<void> {
    await this.#keepRecord({ name });
  }

  /** Ends all work and forgets all that was kept. */
  async delete(): Promise<void> {
    this.#deleted = true;
    this.#addition.abort(new EncoderError("disposed", "was given up"));
    this.engine.pause();
    await this.#options.store?.deleteCollection(this.#record.id);
  }

  async #restore(): Promise<void> {
    const { store, record } = this.#options;
    for await (const documents of store?.documents(record.id) ?? []) await this.engine.restore(documents, record.fingerprint);
    if (record.folder) this.#access = await accessTo(record.folder.handle);
    await this.#summarize();
  }

  async #put(documents: readonly ChunkedDocument[], addition: number): Promise<void> {
    for (const { document } of documents) this.#latest.add(document.id);
    await this.engine.put(documents, { addition });
    await this.#summarize();
  }

  /** A keeper that lets `keeper` do its work and tells what has changed. */
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
      phase: this.#paused ? "paused" : this.#reading ? "reading" : "embedding",
      files: this.#reading && { ...this.#reading },
      passagesPerSecond: perSecond,
      secondsLeft: perSecond ? (total - done) / perSecond : null,
    };
  }

  /** Counts what there is, and keeps the count for when the collection is listed without being open. */
  async #summarize(): Promise<void> {
    const entries = this.engine.entries();
    const coverage = this.engine.coverage();
    let [characters, passages] = [0, 0];
    for (const entry of entries) {
      characters += entry.document.text.length;
      passages += entry.passages.length;
    }
    this.#pace.count(coverage.done);
    if (coverage.done === coverage.total) this.#latest.clear();
    this.#version += 1;
    const bytes = 2 * characters + 4 * coverage.done * this.engine.dimensions;
    const modelChanged =
      coverage.done < coverage.total && (this.#record.modelChanged || isOfOtherModel(this.#record, this.engine.fingerprint));
    const fingerprint = coverage.done > 0 ? this.engine.fingerprint : this.#record.fingerprint;
    await this.#keepRecord({ documents: entries.length, passages, coverage, bytes, modelChanged, fingerprint });
  }

  async #keepRecord(patch: Partial<CollectionRecord>): Promise<void> {
    this.#record = { ...this.#record, ...patch };
    this.#changed();
    // A run that was under way when it was deleted brings nothing back.
    if (!this.#deleted) await this.#options.store?.putCollection(this.#record);
  }

  #changed(): void {
    this.#options.onChange();
  }
}
