import { Workbox } from "workbox-window";
import { find } from "./elements.ts";

/** Registers the service worker, for visits without a network. A new version is installed when the visitor reloads. */
export function mountUpdate(): void {
  // Only the built site has a service worker, and only secure contexts can register it.
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
  // Without a service worker the page works online.
  worker.register().catch(() => {});
}
