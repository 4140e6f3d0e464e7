/**
 * The worker that searches. It owns the encoder, which is a pool of more workers, and the index, so that the page's
 * thread only paints. The page speaks to it by Comlink.
 */
import { expose, type ProxyMarked, proxy, transfer } from "comlink";
import libraryUrl from "../dist/library/library.json?url&no-inline";
import vectorsUrl from "../dist/library/vectors.bin?url&no-inline";
import { withPlainErrors } from "../shared/encoder/worker.ts";
import { EncoderError } from "../shared/errors.ts";
import type { Answer, SearchOptions } from "../shared/search/answer.ts";
import { type Document, type ExampleQuery, type Library, type LibraryHeader, readLibrary } from "../shared/search/library.ts";
import { type AddOptions, SearchEngine } from "../shared/search/search-engine.ts";
import type { DeviceChoice } from "./device-pool.ts";
import type { DownloadProgress } from "./download.ts";
import { type BrowserEncoderOptions, createEncoder } from "./encoder.ts";

/** Where the model is. */
export type ModelState =
  /** Bytes of the download; `total` is 0 until it is known. When all have come, the model is being started. */
  | ({ readonly phase: "loading" } & DownloadProgress)
  /** `kept` tells whether the next visit will find the model in the browser. */
  | ({ readonly phase: "ready"; readonly kept: boolean } & DeviceChoice)
  | { readonly phase: "failed"; readonly message: string };

/** A text's vector, L2-normalized, and how long it took in ms. */
export interface EmbeddedText {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly time: number;
}

/** What the page may ask for. Rejections are plain objects: see `EncoderError.from`. */
export interface SearchService {
  /** Queries that are answered before the model is there. */
  readonly examples: readonly ExampleQuery[];
  /** Resolves when the model is there. After a failure it is tried once more, here and by every call below. */
  load(): Promise<void>;
  /** Null when a later search has taken this one's place. By words alone while the model loads. */
  search(query: string, options?: Pick<SearchOptions, "mode" | "filter" | "limit">): Promise<Answer | null>;
  add(document: Document, onProgress: NonNullable<AddOptions["onProgress"]>): Promise<void>;
  /** One that is still being added is given up: its `add` rejects. */
  remove(id: string): Promise<void>;
  /** The whole text of a document; null when it is not there any more. */
  text(id: string): Promise<string | null>;
  embed(text: string): Promise<EmbeddedText>;
}

export type OpenSearch = (
  options: Pick<BrowserEncoderOptions, "device" | "workers">,
  onModelState: (state: ModelState) => void,
) => Promise<SearchService & ProxyMarked>;

/** How long the built-in documents may take to come, in ms. */
const libraryTimeout = 30_000;

/** Opens the built-in documents, and begins to load the model. Rejects with `load_failed` when the documents do not come. */
const openSearch: OpenSearch = withPlainErrors(async (options, onModelState) => {
  let loading: Promise<void> | null = null;
  let ready = false;
  const encoder = createEncoder({
    ...options,
    onDownload: (progress) => {
      // When one file has failed, the others may still be coming. When the device is changed, another one serves meanwhile.
      if (loading && !ready) onModelState({ phase: "loading", ...progress });
    },
    onDevice: () => {
      if (ready) tellReady();
    },
  });
  const tellReady = () => {
    const { choice, kept } = encoder.info();
    if (choice) onModelState({ phase: "ready", kept, ...choice });
  };
  const library = await fetchLibrary();
  const engine = new SearchEngine(encoder, library);

  const load = () => {
    loading ??= loadModel().catch((error) => {
      loading = null;
      ready = false;
      onModelState({ phase: "failed", message: EncoderError.from(error).message });
      throw error;
    });
    return loading;
  };
  const loadModel = async () => {
    onModelState({ phase: "loading", loaded: 0, total: 0, stored: 0 });
    await engine.load();
    ready = true;
    tellReady();
  };
  /** For calls that wait for the engine: it loads by itself, but only this tells the page. */
  const startLoading = () => void load().catch(() => {});

  let latestSearch = new AbortController();
  const additions = new Map<string, AbortController>();
  startLoading();

  return proxy<SearchService>({
    examples: library.examples,
    load: withPlainErrors(load),

    search: withPlainErrors(async (query: string, options: Pick<SearchOptions, "mode" | "filter" | "limit"> = {}) => {
      startLoading();
      latestSearch.abort();
      latestSearch = new AbortController();
      const { signal } = latestSearch;
      try {
        return await engine.search(query, { ...options, signal });
      } catch (error) {
        if (signal.aborted) return null;
        throw error;
      }
    }),

    add: withPlainErrors(async (document: Document, onProgress: NonNullable<AddOptions["onProgress"]>) => {
      startLoading();
      const addition = new AbortController();
      additions.set(document.id, addition);
      try {
        await engine.add(document, { signal: addition.signal, onProgress });
      } finally {
        additions.delete(document.id);
      }
    }),

    async remove(id) {
      additions.get(id)?.abort();
      engine.remove(id);
    },

    text: async (id) => engine.document(id)?.text ?? null,

    embed: withPlainErrors(async (text: string) => {
      await load();
      const start = performance.now();
      const { vectors } = await encoder.embed(text);
      const [vector] = vectors as [Float32Array<ArrayBuffer>]; // one text, one vector
      return transfer({ vector, time: performance.now() - start }, [vector.buffer]);
    }),
  });
});

async function fetchLibrary(): Promise<Library> {
  const fetchFile = async (url: string) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(libraryTimeout) });
    if (!response.ok) throw new EncoderError("load_failed", `The built-in documents did not come: the server answered ${response.status}`);
    return response;
  };
  const [header, vectors] = await Promise.all([fetchFile(libraryUrl), fetchFile(vectorsUrl)]);
  // Made by the same build as this script: its shape needs no check.
  return readLibrary((await header.json()) as LibraryHeader, await vectors.arrayBuffer());
}

expose(openSearch);
