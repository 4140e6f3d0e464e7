import { EncoderError } from "../../shared/errors.ts";
import type { ScanCodes } from "../../shared/index/vector-codes.ts";
import { type Library, type LibraryHeader, readLibrary } from "../../shared/search/library.ts";
import { type BrowserEncoder, type BrowserEncoderOptions, createEncoder } from "../encoder/encoder.ts";
import { Collection, isOfOtherModel } from "./collection.ts";
import { type CollectionRecord, CollectionStore } from "./collection-store.ts";
import { DocumentReader } from "./document-reader.ts";
import type { ModelState, SearchService, SearchState, StorageState } from "./service.ts";

export interface SearchHostOptions extends Pick<BrowserEncoderOptions, "device" | "workers"> {
  /** Of the database. */
  readonly name: string;
  readonly libraryUrl: string;
  readonly vectorsUrl: string;
  /** Compares vector codes. Default: in JavaScript. */
  readonly scan?: ScanCodes | undefined;
  readonly onState: (state: SearchState) => void;
}

/** ms for fetching the built-in documents. */
const libraryTimeout = 30_000;

/** Minimum ms between updates of the state. */
const stateInterval = 200;

/** Owns the encoder and the collections, and serves all tabs. */
export class SearchHost {
  readonly #options: SearchHostOptions;
  readonly #library: Library;
  readonly #store: CollectionStore | null;
  readonly #encoder: BrowserEncoder;
  readonly #reader = new DocumentReader();
  /** In the order of creation. A collection is opened by its first call. */
  readonly #records: CollectionRecord[];
  readonly #open = new Map<string, Promise<Collection>>();
  readonly #opened = new Map<string, Collection>();
  #model: ModelState = { phase: "loading", loaded: 0, total: 0, stored: 0 };
  #storageProblem: string | null = null;
  #persistent = false;
  #loading: Promise<void> | null = null;
  #ready = false;
  #stateTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: SearchHostOptions, library: Library, store: CollectionStore | null, records: CollectionRecord[]) {
    this.#options = options;
    this.#library = library;
    this.#store = store;
    this.#records = records;
    const { device, workers } = options;
    this.#encoder = createEncoder({
      ...(device && { device }),
      ...(workers && { workers }),
      onDownload: (progress) => {
        // Other files may still arrive after a failed one; and while the device changes, the previous one serves.
        if (this.#loading && !this.#ready) this.#setModel({ phase: "loading", ...progress });
      },
      onDevice: () => {
        if (this.#ready) this.#setReady();
      },
    });
  }

  /** Opens the stored collections, and starts loading the model. Rejects with `load_failed` without the built-in documents. */
  static async open(options: SearchHostOptions): Promise<SearchHost> {
    let host: SearchHost | null = null;
    const onProblem = (problem: string | null) => host?.reportProblem(problem);
    const [library, { store, records, problem }] = await Promise.all([
      fetchLibrary(options),
      CollectionStore.open(options.name, onProblem),
    ]);
    host = new SearchHost(options, library, store, records);
    host.reportProblem(problem);
    if (records.length === 0) await host.#create("My documents");
    // Resumes embedding, also for collections of another model.
    for (const record of records) {
      const { id, coverage } = record;
      if (coverage.done < coverage.total || isOfOtherModel(record, library.fingerprint)) void host.#collection(id).catch(() => {});
    }
    host.#startLoading();
    return host;
  }

  get state(): SearchState {
    return {
      model: this.#model,
      collections: this.#records.map((record) => this.#opened.get(record.id)?.state() ?? closedState(record, this.#library.fingerprint)),
      storage: this.#storage,
    };
  }

  reportProblem(problem: string | null): void {
    if (problem === this.#storageProblem) return;
    this.#storageProblem = problem;
    this.#changed();
  }

  /** The service for one tab, whose latest search cancels earlier ones. */
  service(): SearchService {
    let latestSearch = new AbortController();
    const on =
      <Arguments extends unknown[], Result>(act: (collection: Collection, ...rest: Arguments) => Result | Promise<Result>) =>
      async (id: string, ...rest: Arguments): Promise<Result> =>
        act(await this.#collection(id), ...rest);
    const service: SearchService = {
      state: async () => this.state,
      examples: async () => this.#library.examples,
      load: () => this.#load(),

      search: async (id, query, options = {}) => {
        latestSearch.abort();
        latestSearch = new AbortController();
        const { signal } = latestSearch;
        const { engine } = await this.#collection(id);
        this.#startLoading();
        try {
          return await engine.search(query, { ...options, signal });
        } catch (error) {
          if (signal.aborted) return null;
          throw error;
        }
      },
      relevanceIn: on(async ({ engine }, document: string, query: string) => found(await engine.relevanceIn(document, query))),
      closestSentence: on(({ engine }, document: string, start: number, query: string) => engine.closestSentence(document, start, query)),

      documents: on((collection) => collection.documents()),
      document: on(({ engine }, id: string) => found(engine.document(id))),
      addText: on((collection, text: string) => collection.addText(text)),
      addFiles: on((collection, files: Parameters<SearchService["addFiles"]>[1]) => collection.addFiles(files)),
      remove: on((collection, documents: readonly string[]) => collection.remove(documents)),

      connectFolder: on((collection, folder: FileSystemDirectoryHandle) => collection.connectFolder(folder)),
      folder: on((collection) => collection.folder),
      refreshFolder: on((collection) => collection.refreshFolder()),
      disconnectFolder: on((collection) => collection.disconnectFolder()),

      pause: on((collection) => collection.pause()),
      resume: on((collection) => collection.resume()),
      stopReading: on((collection) => collection.stopReading()),

      createCollection: (name) => this.#create(name),
      renameCollection: on((collection, name: string) => collection.rename(name)),
      deleteCollection: (id) => this.#delete(id),
      exportCollection: on(async ({ engine }) => new Blob([await engine.exportIndex()], { type: "application/octet-stream" })),
      importCollection: (name, file) => this.#import(name, file),

      embed: async (text) => {
        await this.#load();
        const start = performance.now();
        const { vectors } = await this.#encoder.embed(text);
        return { vector: vectors[0] as Float32Array<ArrayBuffer>, time: performance.now() - start }; // one text, one vector
      },
    };
    return service;
  }

  get #storage(): StorageState {
    return { kept: this.#store ? (this.#persistent ? "persistent" : "browser") : "tab", problem: this.#storageProblem };
  }

  #collection(id: string): Promise<Collection> {
    const known = this.#open.get(id);
    if (known) return known;
    const record = this.#records.find((record) => record.id === id);
    if (!record) return Promise.reject(new EncoderError("not_found", "There is no such collection"));
    const opening = this.#openCollection(record);
    this.#open.set(id, opening);
    opening.catch(() => this.#open.delete(id));
    return opening;
  }

  async #openCollection(record: CollectionRecord): Promise<Collection> {
    const collection = await Collection.open({
      record,
      store: this.#store,
      encoder: this.#encoder,
      library: this.#library,
      scan: this.#options.scan,
      reader: this.#reader,
      onChange: () => this.#changed(),
    });
    this.#opened.set(record.id, collection);
    // Its passages are embedded once the model is loaded.
    this.#loading?.then(() => collection.engine.load()).catch(() => {});
    this.#changed();
    return collection;
  }

  async #create(name: string): Promise<string> {
    const record: CollectionRecord = {
      id: crypto.randomUUID(),
      name,
      made: Date.now(),
      documents: 0,
      passages: 0,
      coverage: { done: 0, total: 0 },
      bytes: 0,
      fingerprint: null,
      folder: null,
    };
    this.#records.push(record);
    await this.#store?.putCollection(record);
    this.#changed();
    return record.id;
  }

  /** Deleting the last collection creates an empty one. */
  async #delete(id: string): Promise<void> {
    await (await this.#collection(id)).delete();
    this.#open.delete(id);
    this.#opened.delete(id);
    this.#records.splice(
      this.#records.findIndex((record) => record.id === id),
      1,
    );
    if (this.#records.length === 0) await this.#create("My documents");
    this.#changed();
  }

  async #import(name: string, file: Blob): Promise<string> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const id = await this.#create(name);
    try {
      await (await this.#collection(id)).importIndex(bytes);
    } catch (error) {
      await this.#delete(id);
      throw error;
    }
    return id;
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadModel().catch((error) => {
      this.#loading = null;
      this.#ready = false;
      this.#setModel({ phase: "failed", message: EncoderError.from(error).message });
      throw error;
    });
    return this.#loading;
  }

  async #loadModel(): Promise<void> {
    this.#setModel({ phase: "loading", loaded: 0, total: 0, stored: 0 });
    await this.#encoder.load();
    // Open collections start embedding.
    await Promise.all([...this.#opened.values()].map(({ engine }) => engine.load()));
    this.#ready = true;
    this.#setReady();
  }

  /** Starts loading without waiting. The state reports the result. */
  #startLoading(): void {
    void this.#load().catch(() => {});
  }

  #setReady(): void {
    const { choice, kept } = this.#encoder.info();
    if (choice) this.#setModel({ phase: "ready", kept, ...choice });
  }

  #setModel(model: ModelState): void {
    const previous = this.#model.phase;
    this.#model = model;
    if (model.phase === previous) this.#changed();
    else this.#publish();
  }

  /** Publishes the state soon, with other changes until then. */
  #changed(): void {
    this.#stateTimer ??= setTimeout(() => this.#publish(), stateInterval);
  }

  #publish(): void {
    clearTimeout(this.#stateTimer);
    this.#stateTimer = undefined;
    this.#options.onState(this.state);
    void navigator.storage?.persisted?.().then((persistent) => {
      if (persistent === this.#persistent) return;
      this.#persistent = persistent;
      this.#changed();
    });
  }
}

/** @param current fingerprint of the current model: vectors of another one do not count */
function closedState(stored: CollectionRecord, current: string): SearchState["collections"][number] {
  const { made: _made, paused: _paused, folder, modelChanged = false, ...record } = stored;
  const followed = folder && ({ name: folder.handle.name, access: "asks" } as const);
  const state = { ...record, folder: followed, modelChanged, indexing: null, problems: [], version: 0 };
  const { total } = record.coverage;
  return isOfOtherModel(stored, current) ? { ...state, modelChanged: total > 0, coverage: { done: 0, total } } : state;
}

function found<T>(value: T | null): T {
  if (value === null) throw new EncoderError("not_found", "The document no longer exists");
  return value;
}

async function fetchLibrary({ libraryUrl, vectorsUrl }: SearchHostOptions): Promise<Library> {
  const fetchFile = async (url: string) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(libraryTimeout) });
    if (!response.ok)
      throw new EncoderError("load_failed", `The built-in documents could not be loaded: the server answered ${response.status}`);
    return response;
  };
  const [header, vectors] = await Promise.all([fetchFile(libraryUrl), fetchFile(vectorsUrl)]);
  // Made by the same build as this script: no validation needed.
  return readLibrary((await header.json()) as LibraryHeader, await vectors.arrayBuffer());
}
