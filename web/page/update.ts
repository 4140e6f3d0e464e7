import { Workbox } from "workbox-window";
import { find } from "./elements.ts";

/** Keeps the page for visits without a network, and tells when a newer version waits: it is taken when the visitor says so. */
export function mountUpdate(): void {
  // Only the built site has a service worker, and only secure contexts let it be registered.
  if (import.meta.env.DEV || !("serviceWorker" in navigator)) return;
  const notice = find("#update", HTMLElement);
  const reload = find("button", HTMLButtonElement, notice);
  const worker = new Workbox("./service-worker.js");
  worker.addEventListener("waiting", () => {
    notice.hidden = false;
  });
  reload.addEventListener("click", () => {
    worker.addEventListener("controlling", () => location.reload());
    worker.messageSkipWaiting();
  });
  // Without it the page works all the same, as long as there is a network.
  worker.register().catch(() => {});
}
