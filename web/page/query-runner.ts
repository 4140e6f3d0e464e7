import { EncoderError } from "../../shared/errors.ts";
import { filterOf, type PageStore, type Search, searchesBuiltIn, shownCollection } from "./state.ts";

/** ms of debouncing between a key and its query: keys in quick succession cause one embedding. */
export const typingPause = 40;

/** ms between refreshes of the answer while documents are added. */
const refreshPause = 1000;

/** Measures the time from a key to its results on the screen, for the browser's developer tools. */
function measurePaint(requested: number): void {
  if (requested === 0) return;
  requestAnimationFrame(() => performance.measure("key to results", { start: requested }));
}

/**
 * Runs the store's query in the store's collection. The latest query wins: an older answer never replaces a newer one. Runs it again
 * when the answer may change: for another collection, mode or scope, more documents, or a loaded model.
 * @returns runs the query after a delay in ms, unless it is called again before
 */
export function mountQueryRunner(store: PageStore, service: Search): (delay: number) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest = 0;
  let running = 0;
  let requested = 0;

  const schedule = (delay: number) => {
    clearTimeout(timer);
    requested = performance.now();
    if (store.get().query !== "") timer = setTimeout(() => void run(), delay);
    // A running query is not the latest any more.
    latest += 1;
  };

  const run = async () => {
    timer = undefined;
    const state = store.get();
    const collection = shownCollection(state);
    if (!collection) return;
    latest += 1;
    const number = latest;
    running += 1;
    const { query, mode, limit } = state;
    try {
      const answer = await (await service).search(collection.id, query, { mode, limit, filter: filterOf(state) });
      if (!answer || number !== latest) return;
      store.update({ answer, searchProblem: null });
      measurePaint(requested);
      requested = 0;
    } catch (error) {
      if (number === latest) store.update({ searchProblem: EncoderError.from(error).message });
    } finally {
      running -= 1;
    }
  };

  /** Runs the query again for added documents, after a running query. */
  const refresh = () => {
    if (store.get().query === "" || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      if (running > 0) refresh();
      else void run();
    }, refreshPause);
  };

  const searchedContents = (state: ReturnType<PageStore["get"]>) => {
    const { id, version, coverage } = shownCollection(state) ?? {};
    return JSON.stringify([id, version, coverage, searchesBuiltIn(state)]);
  };
  let previousContents = searchedContents(store.get());
  let previousCollection = shownCollection(store.get())?.id;
  store.watch(["collections", "chosen"], () => {
    const contents = searchedContents(store.get());
    const collection = shownCollection(store.get())?.id;
    if (contents === previousContents) return;
    previousContents = contents;
    if (collection === previousCollection) return refresh();
    previousCollection = collection;
    schedule(0);
  });
  store.watch(["mode", "scope", "limit", "builtIn"], () => schedule(0));
  // An answer from before the model was loaded is by keyword only.
  store.watch(["model"], ({ model }) => {
    const { answer, mode } = store.get();
    if (model.phase === "ready" && answer?.mode === "keyword" && mode !== "keyword") schedule(0);
  });
  return schedule;
}
