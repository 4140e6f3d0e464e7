/**
 * The worker that searches. It owns the encoder, which is a pool of more workers, and the index, so that the page's
 * thread only paints; or it asks the tab that does. The page speaks to it by Comlink.
 */

import libraryUrl from "../../dist/library/library.json?url&no-inline";
import vectorsUrl from "../../dist/library/vectors.bin?url&no-inline";
import { expose, proxy } from "../../shared/comlink.ts";
import { SearchHost } from "./search-host.ts";
import type { OpenSearch, SearchState } from "./service.ts";
import { joinTabs } from "./tabs.ts";

/** Of what is kept and shared: sites of one origin under other paths have their own. */
const name = `samevec ${new URL("../", import.meta.url).pathname}`;

/** Rejects with `load_failed` when it is this tab that searches, and the built-in documents do not come. */
const openSearch: OpenSearch = async (options, onState) => {
  let latest: SearchState | null = null;
  const tell = (state: SearchState) => {
    latest = state;
    onState(state);
  };
  const service = await joinTabs({
    name,
    lead: (onState) => SearchHost.open({ ...options, name, libraryUrl, vectorsUrl, onState }),
    onState: tell,
    onSilence: () => {
      const model = {
        phase: "failed",
        message: "Another tab of this page has the search, and does not answer: close it or reload it.",
      } as const;
      tell({ collections: [], storage: { kept: "browser", problem: null }, ...latest, model });
    },
  });
  return proxy(service);
};

expose(openSearch);
