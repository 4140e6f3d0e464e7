import type { StorageState } from "../search/service.ts";
import { importFile } from "./adding.ts";
import { askVisitor } from "./ask-dialog.ts";
import { attempt } from "./attempt.ts";
import { find, make, offer, write } from "./elements.ts";
import { showNewCollection } from "./search-service.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";
import { count, numeral, size } from "./wording.ts";

/** Key of the shown collection in the tab's session storage. It is not in the URL, which others may see. */
const chosenKey = "collection";

/** The collections: choose, create, rename, export, import and delete. */
export function mountCollections(store: PageStore, service: Search): void {
  const section = find("#documents", HTMLElement);
  const select = find("#collection", HTMLSelectElement);
  const manage = find("#manage", HTMLDetailsElement);

  select.addEventListener("change", () => store.update({ chosen: select.value, answer: null }));
  find("#new-collection", HTMLButtonElement).addEventListener("click", () => {
    void attempt(store, async () => {
      const name = await askVisitor({
        title: "New collection",
        text: "A set of documents with a search of its own.",
        action: "Create",
        name: "",
      });
      const search = await service;
      if (name !== null) await showNewCollection(store, search, await search.createCollection(name));
    });
  });

  /** Runs an action on the shown collection. */
  const onClick = (selector: string, action: (collection: NonNullable<ReturnType<typeof shownCollection>>) => Promise<unknown>) => {
    find(selector, HTMLButtonElement).addEventListener("click", () => {
      void attempt(store, async () => {
        const collection = shownCollection(store.get());
        if (collection) await action(collection);
      });
    });
  };
  onClick("#manage .rename", async ({ id, name }) => {
    const renamed = await askVisitor({ title: "Rename collection", action: "Rename", name });
    if (renamed !== null) await (await service).renameCollection(id, renamed);
  });
  onClick("#manage .export", async ({ id, name }) => save(await (await service).exportCollection(id), `${fileName(name)}.samevec`));
  onClick("#manage .delete", async ({ id, name, documents }) => {
    const text = `Its ${count(documents, "document")} will be deleted, here and in other tabs. The original files are not deleted.`;
    if ((await askVisitor({ title: `Delete ${name}?`, text, action: "Delete" })) !== null) await (await service).deleteCollection(id);
  });
  onClick("#manage .remove-all", async ({ id, name }) => {
    const documents = await (await service).documents(id);
    const title = `Remove all documents of ${name}?`;
    const text = `${count(documents.length, "document")} will be removed. The original files are not deleted.`;
    if ((await askVisitor({ title, text, action: "Remove all" })) === null) return;
    await (await service).remove(
      id,
      documents.map((document) => document.id),
    );
  });
  const importInput = find("#import", HTMLInputElement);
  importInput.addEventListener("change", () => {
    const [file] = importInput.files ?? [];
    importInput.value = "";
    if (file) void importFile(store, service, file);
  });

  store.update({ chosen: sessionStorage.getItem(chosenKey) });
  store.watch(["collections", "chosen"], (state) => {
    const collection = shownCollection(state);
    if (!collection) return;
    // By id: the first collection may change.
    if (state.chosen !== null || state.collections.length > 1) sessionStorage.setItem(chosenKey, collection.id);
    offer(
      select,
      state.collections.map(({ id, name }) => [id, name] as const),
      collection.id,
    );
    const { documents, passages, bytes, fingerprint, modelChanged } = collection;
    write(find(".summary", HTMLElement, section), summaryOf(documents, passages));
    write(find(".documents", HTMLElement, manage), numeral(documents));
    write(find(".passages", HTMLElement, manage), numeral(passages));
    write(find(".size", HTMLElement, manage), size(bytes));
    const model = find(".fingerprint", HTMLElement, manage);
    write(model, fingerprint?.slice(0, 12) ?? "none yet");
    model.title = fingerprint ?? "";
    find(".remove-all", HTMLButtonElement, manage).disabled = documents === 0;
    find(".export", HTMLButtonElement, manage).disabled = documents === 0;
    find("#model-changed", HTMLElement).hidden = !modelChanged;
  });
  store.watch(["storage", "collections", "chosen"], ({ storage, ...state }) => {
    const line = find("#storage", HTMLElement);
    line.hidden = !shownCollection(state)?.documents && storage.problem === null;
    line.classList.toggle("problem", storage.problem !== null);
    write(line, [storage.problem, storageText(storage)].filter(Boolean).join(" "));
  });
  store.watch(["problem"], ({ problem }) => {
    const alert = find(".problem[role=alert]", HTMLElement, section);
    write(alert, problem ?? "");
    alert.hidden = problem === null;
  });
}

function summaryOf(documents: number, passages: number): string {
  if (documents === 0) return "About sixty short texts are built in to try. Add your own: they stay in this browser.";
  return `${count(documents, "document")}, ${count(passages, "passage")}.`;
}

function storageText({ kept }: StorageState): string {
  if (kept === "persistent") return "Stored in this browser until you delete it.";
  if (kept === "browser") return "Stored in this browser, which may delete it when storage runs out.";
  return "Not stored: documents are lost when this page is closed.";
}

/** A valid file name. */
const fileName = (name: string): string => name.replace(/[^\p{L}\p{N} ._-]+/gu, "-").replace(/^[.\s]+|\s+$/g, "") || "collection";

function save(content: Blob, name: string): void {
  const link = make("a", "");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // By then the download has started.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
