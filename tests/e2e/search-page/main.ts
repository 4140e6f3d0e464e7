import { proxy, type Remote, wrap } from "../../../shared/comlink.ts";
import type { OpenSearch, SearchService, SearchState } from "../../../web/search/service.ts";

declare global {
  interface Window {
    /** The search of all tabs, for this one. */
    search: Remote<SearchService>;
    /** The latest state, and all that were told. */
    state: SearchState;
    states: SearchState[];
    /** Resolves with the first state that is as it should be. */
    until(test: (state: SearchState) => boolean): Promise<SearchState>;
  }
}

const waiting = new Set<() => void>();
window.states = [];
window.until = (test) =>
  new Promise((resolve) => {
    const look = () => {
      if (!(window.state && test(window.state))) return;
      waiting.delete(look);
      resolve(window.state);
    };
    waiting.add(look);
    look();
  });

const worker = new Worker(new URL("../../../web/search/search-worker.ts", import.meta.url), { type: "module", name: "search" });
window.search = await wrap<OpenSearch>(worker)(
  { device: "wasm", workers: 1 },
  proxy((state) => {
    window.state = state;
    window.states.push(state);
    for (const look of waiting) look();
  }),
);
