import type { Place } from "../../shared/index/spans.ts";
import { keyOf, type PageStore, type Search, shownCollection } from "./state.ts";

/** ms without a new answer before its sentences are compared. */
const settled = 400;

/** The number of results, from the best. */
const results = 3;

/** Finds the closest sentence to the query in the best results, one after the other, until there is a new query. */
export function mountClosestSentences(store: PageStore, service: Search): void {
  let pause: ReturnType<typeof setTimeout> | undefined;
  let query = "";

  const findClosest = async () => {
    const { answer } = store.get();
    const collection = shownCollection(store.get());
    const isWanted = () => store.get().answer === answer && store.get().query === answer?.query;
    for (const hit of answer?.hits.slice(0, results) ?? []) {
      const key = keyOf(hit);
      if (hit.strength === "weak" || hit.cosine === null || store.get().closest.has(key)) continue;
      if (!collection || !answer || !isWanted()) return;
      const search = await service;
      const place = await search.closestSentence(collection.id, hit.id, hit.passage.start, answer.query);
      if (place && isWanted() && !isAll(place, hit.passage)) store.update({ closest: new Map(store.get().closest).set(key, place) });
    }
  };

  store.watch(["answer"], ({ answer }) => {
    clearTimeout(pause);
    if (answer?.query !== query) store.update({ closest: new Map() });
    query = answer?.query ?? "";
    // A failure only leaves the sentence unmarked.
    if (answer && answer.mode !== "keyword") pause = setTimeout(() => void findClosest().catch(() => {}), settled);
  });
}

const isAll = (place: Place, whole: Place): boolean => place.start <= whole.start && place.end >= whole.end;
