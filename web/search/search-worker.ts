/**
 * The search worker. In one tab it owns the encoder (a pool of more workers) and the index; in other tabs it calls that one. The page
 * uses it over Comlink.
 */

import scanUrl from "../../dist/engine/scan.wasm?url&inline";
import libraryUrl from "../../dist/library/library.json?url&no-inline";
import vectorsUrl from "../../dist/library/vectors.bin?url&no-inline";
import { expose, proxy } from "../../shared/comlink.ts";
import { compileScan } from "../../shared/index/scan.ts";
import { bytesOfDataUrl } from "../encoder/data-url.ts";
import { SearchHost } from "./search-host.ts";
import type { OpenSearch, SearchState } from "./service.ts";
import { joinTabs } from "./tabs.ts";

/** Of the database, lock and channels: sites of one origin under other paths have their own. */
const name = `samevec ${new URL("../", import.meta.url).pathname}`;

/** Rejects with `load_failed` when this tab leads and the built-in documents cannot be loaded. */
const openSearch: OpenSearch = async (options, onState) => {
  let latest: SearchState | null = null;
  const publish = (state: SearchState) => {
    latest = state;
    onState(state);
  };
  const service = await joinTabs({
    name,
    lead: async (onState) =>
      SearchHost.open({ ...options, name, libraryUrl, vectorsUrl, scan: await compileScan(bytesOfDataUrl(scanUrl)), onState }),
    onState: publish,
    onUnresponsive: () => {
      const model = {
        phase: "failed",
        message: "Another tab runs the search and does not respond: close or reload it.",
      } as const;
      publish({ collections: [], storage: { kept: "browser", problem: null }, ...latest, model });
    },
  });
  return proxy(service);
};

expose(openSearch);
