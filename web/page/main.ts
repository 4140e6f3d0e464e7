import { mountComparison } from "./comparison.ts";
import { mountDocuments } from "./documents.ts";
import { mountResults } from "./results.ts";
import { mountSearchBox } from "./search-box.ts";
import { openSearchService } from "./search-service.ts";
import { initialState } from "./state.ts";
import { mountStatus } from "./status.ts";
import { createStore } from "./store.ts";
import { mountUpdate } from "./update.ts";

const store = createStore(initialState);
const service = openSearchService(store);
// The store tells of a failure, and every part that waits gets it too.
service.catch(() => {});

mountSearchBox(store, service);
mountStatus(store, service);
mountResults(store, service);
mountDocuments(store, service);
mountComparison(service);
mountUpdate();
