import { proxy, type Remote, wrap } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { OpenSearch, SearchService, SearchState } from "../search/service.ts";
import type { PageStore } from "./state.ts";

/** Starts the search worker, and updates the store with its state. Rejects when the worker cannot start. */
export async function openSearchService(store: PageStore): Promise<Remote<SearchService>> {
  const worker = new Worker(new URL("../search/search-worker.ts", import.meta.url), { type: "module", name: "search" });
  // For errors while it starts: later ones belong to single calls, or to encoders that are replaced.
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener("error", ({ message }) => {
      // A script that cannot be fetched gives an event without a message.
      const reason = message || "its script could not be loaded";
      reject(new EncoderError("worker_died", `The search could not be started: ${reason}`));
    });
  });
  failed.catch(() => {});
  const opening = wrap<OpenSearch>(worker)(
    optionsIn(location.search),
    proxy((state) => store.update(withEqualParts(store.get(), state))),
  );
  try {
    const service = await Promise.race([opening, failed]);
    store.update({ examples: await service.examples() });
    return service;
  } catch (thrown) {
    const error = EncoderError.from(thrown);
    store.update({ model: { phase: "failed", message: error.message } });
    throw error;
  }
}

/** Shows a new collection. Its state is requested, because the next update may come later. */
export async function showNewCollection(store: PageStore, search: Remote<SearchService>, chosen: string): Promise<void> {
  store.update({ ...withEqualParts(store.get(), await search.state()), chosen, answer: null });
}

/** The new state with the previous objects where they are equal, so that only changes are painted. */
function withEqualParts(before: SearchState, { model, collections, storage }: SearchState): SearchState {
  const kept = <Part>(old: Part | undefined, part: Part): Part => (old && JSON.stringify(old) === JSON.stringify(part) ? old : part);
  const known = new Map(before.collections.map((collection) => [collection.id, collection]));
  const now = collections.map((collection) => kept(known.get(collection.id), collection));
  const same = now.length === before.collections.length && now.every((collection, i) => collection === before.collections[i]);
  return { model: kept(before.model, model), collections: same ? before.collections : now, storage: kept(before.storage, storage) };
}

/** `?device=wasm` or `webgpu` forces a device, `?workers=N` (1 to 16) sets the pool's size. Anything else is ignored. */
function optionsIn(search: string): Parameters<OpenSearch>[0] {
  const parameters = new URLSearchParams(search);
  const device = parameters.get("device");
  const workers = Number(parameters.get("workers"));
  return {
    ...((device === "wasm" || device === "webgpu") && { device }),
    ...(Number.isInteger(workers) && workers >= 1 && workers <= 16 && { workers }),
  };
}
