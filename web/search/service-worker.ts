/**
 * Keeps the page for the next visit, with or without a network: its documents and scripts, whole versions at a time. The
 * model and the runtime are kept by the page's own download, which checks them: see download.ts.
 */
import { cleanupOutdatedCaches, type PrecacheEntry, precacheAndRoute } from "workbox-precaching";

declare const self: ServiceWorkerGlobalScope;

/** Put in by the bundler: see build/service-worker.ts. */
declare const precachedFiles: PrecacheEntry[];

// The page reads its parameters itself: every address of it is answered by the same file.
precacheAndRoute(precachedFiles, { ignoreURLParametersMatching: [/./] });
cleanupOutdatedCaches();

// A new version waits until the visitor asks for it: scripts of two versions must not meet in one page.
self.addEventListener("message", ({ data }) => {
  if (data?.type === "SKIP_WAITING") void self.skipWaiting();
});
