import type { Place } from "../../shared/search/answer.ts";
import { keyOf, type PageStore, type Search, shownCollection } from "./state.ts";

/** How long an answer must have stood before its sentences are looked at, in ms: nobody types any more then. */
const settled = 400;

/** Of how many results, from the best. */
const results = 3;

/** Finds, in the best results, the sentence that is closest to the query: late, one by one, and given up for any new query. */
export function mountClosestSentences(store: PageStore, service: Search): void {
  let pause: ReturnType<typeof setTimeout> | undefined;
  let query = "";

  const look = async () => {
    const { answer } = store.get();
    const collection = shownCollection(store.get());
    const isWanted = () => store.get().answer === answer && store.get().query === answer?.query;
    for (const result of answer?.results.slice(0, results) ?? []) {
      const key = keyOf(result);
      if (result.weak || result.cosine === null || store.get().closest.has(key)) continue;
      if (!collection || !answer || !isWanted()) return;
      const search = await service;
      const place = await search.closestSentence(collection.id, result.document.id, result.passage.start, answer.query);
      if (place && isWanted() && !isAll(place, result.passage)) store.update({ closest: new Map(store.get().closest).set(key, place) });
    }
  };

  store.watch(["answer"], ({ answer }) => {
    clearTimeout(pause);
    if (answer?.query !== query) store.update({ closest: new Map() });
    query = answer?.query ?? "";
    // What cannot be told is not missed.
    if (answer && answer.mode !== "keyword") pause = setTimeout(() => void look().catch(() => {}), settled);
  });
}

const isAll = (place: Place, whole: Place): boolean => place.start <= whole.start && place.end >= whole.end;
