import { mountAdding } from "./adding.ts";
import { mountAnnouncements } from "./announcements.ts";
import { mountClosestSentences } from "./closest-sentences.ts";
import { mountCollections } from "./collections.ts";
import { mountComparison } from "./comparison.ts";
import { followDocuments, mountDocumentList } from "./document-list.ts";
import { mountDocumentView } from "./document-view.ts";
import { mountFolder } from "./folder.ts";
import { mountIndexing } from "./indexing.ts";
import { mountQueryRunner } from "./query-runner.ts";
import { mountResults } from "./results.ts";
import { mountScope } from "./scope.ts";
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

const open = mountDocumentView(store, service);
mountCollections(store, service);
mountSearchBox(store, mountQueryRunner(store, service));
mountScope(store);
mountStatus(store, service);
mountAnnouncements(store);
mountResults(store, open);
mountClosestSentences(store, service);
mountAdding(store, service);
mountFolder(store, service);
mountIndexing(store, service);
followDocuments(store, service);
mountDocumentList(store, service, open);
mountComparison(service);
mountUpdate();
