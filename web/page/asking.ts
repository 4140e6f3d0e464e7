import { EncoderError } from "../../shared/errors.ts";
import { filterOf, type PageStore, type Search, searchesBuiltIn, shownCollection } from "./state.ts";

/**
 * How long typing must rest before a query is asked, in ms: enough for keys that come at once. What a later key overtakes is
 * not embedded, as long as it has not begun, so that there is never more than one query ahead.
 */
export const typingPause = 40;

/** Tells the browser's tools how long it was from a key to its results on the screen. */
function markPainted(asked: number): void {
  if (asked === 0) return;
  requestAnimationFrame(() => performance.measure("key to results", { start: asked }));
}

/** How often a query is asked again while documents come in, in ms. */
const refreshPause = 1000;

/**
 * Asks the store's query, as it then is, in the store's collection. What is asked last is what is answered: an older
 * answer never takes the place of a newer one. Asks by itself when something else would be found: another collection,
 * mode or scope, more documents, or a model.
 * @returns asks after so many ms, unless it is called again before
 */
export function mountAsking(store: PageStore, service: Search): (delay: number) => void {
  let pause: ReturnType<typeof setTimeout> | undefined;
  let latest = 0;
  let underWay = 0;

  let asked = 0;

  const ask = (delay: number) => {
    clearTimeout(pause);
    asked = performance.now();
    if (store.get().query !== "") pause = setTimeout(() => void answer(), delay);
    // What is still being answered is not what is asked now.
    latest += 1;
  };

  const answer = async () => {
    pause = undefined;
    const state = store.get();
    const collection = shownCollection(state);
    if (!collection) return;
    latest += 1;
    const number = latest;
    underWay += 1;
    const { query, mode, limit } = state;
    try {
      const found = await (await service).search(collection.id, query, { mode, limit, filter: filterOf(state) });
      if (!found || number !== latest) return;
      store.update({ answer: found, searchProblem: null });
      markPainted(asked);
      asked = 0;
    } catch (error) {
      if (number === latest) store.update({ searchProblem: EncoderError.from(error).message });
    } finally {
      underWay -= 1;
    }
  };

  /** Asks once more for what has come meanwhile, without getting ahead of what is being asked. */
  const refresh = () => {
    if (store.get().query === "" || pause !== undefined) return;
    pause = setTimeout(() => {
      pause = undefined;
      if (underWay > 0) refresh();
      else void answer();
    }, refreshPause);
  };

  const found = (state: ReturnType<PageStore["get"]>) => {
    const { id, version, coverage } = shownCollection(state) ?? {};
    return JSON.stringify([id, version, coverage, searchesBuiltIn(state)]);
  };
  let foundBefore = found(store.get());
  let collectionBefore = shownCollection(store.get())?.id;
  store.watch(["collections", "chosen"], () => {
    const now = found(store.get());
    const collection = shownCollection(store.get())?.id;
    if (now === foundBefore) return;
    foundBefore = now;
    if (collection === collectionBefore) return refresh();
    collectionBefore = collection;
    ask(0);
  });
  store.watch(["mode", "scope", "limit", "builtIn"], () => ask(0));
  // What was found by words alone is looked for by meaning too, as soon as that is possible.
  store.watch(["model"], ({ model }) => {
    const { answer, mode } = store.get();
    if (model.phase === "ready" && answer?.mode === "keyword" && mode !== "keyword") ask(0);
  });
  return ask;
}
