import { attempt } from "./attempt.ts";
import { find, write } from "./elements.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";

/** Chromium's File System Access, which TypeScript's DOM library lacks. */
interface FolderPicker {
  showDirectoryPicker?(options: { id: string; mode: "read" }): Promise<FileSystemDirectoryHandle>;
}
interface AskableHandle extends FileSystemDirectoryHandle {
  requestPermission?(options: { mode: "read" }): Promise<PermissionState>;
}

/** The connected folder of a collection. It is scanned again when the page gets the focus. */
export function mountFolder(store: PageStore, service: Search): void {
  const connect = find("#connect-folder", HTMLButtonElement);
  const box = find("#folder", HTMLElement);
  const text = find("p", HTMLElement, box);
  const allow = find(".allow", HTMLButtonElement, box);
  const picker = (window as FolderPicker).showDirectoryPicker?.bind(window);

  /** Runs an action on the shown collection. */
  const onClick = (button: HTMLButtonElement, action: (collection: string) => Promise<void>) => {
    button.addEventListener("click", () => {
      void attempt(store, async () => {
        const collection = shownCollection(store.get());
        if (collection) await action(collection.id);
      });
    });
  };

  onClick(connect, async (collection) => {
    const folder = await picker?.({ id: "documents", mode: "read" }).catch((error) => {
      // The visitor cancelled the picker.
      if (error instanceof DOMException && error.name === "AbortError") return undefined;
      throw error;
    });
    if (folder) await (await service).connectFolder(collection, folder);
  });
  onClick(allow, async (collection) => {
    const search = await service;
    const folder: AskableHandle | null = await search.folder(collection);
    if ((await folder?.requestPermission?.({ mode: "read" })) === "granted") await search.refreshFolder(collection);
  });
  onClick(find(".disconnect", HTMLButtonElement, box), async (collection) => (await service).disconnectFolder(collection));

  window.addEventListener("focus", () => {
    const collection = shownCollection(store.get());
    if (collection?.folder?.access === "granted") void attempt(store, async () => (await service).refreshFolder(collection.id));
  });

  store.watch(["collections", "chosen"], (state) => {
    const folder = shownCollection(state)?.folder ?? null;
    find(".connecting", HTMLElement).hidden = !picker || folder !== null;
    box.hidden = folder === null;
    if (!folder) return;
    const asks = folder.access === "asks";
    write(text, asks ? `The browser needs your permission to read the folder ${folder.name}.` : `Following the folder ${folder.name}.`);
    allow.hidden = !asks;
  });
}
