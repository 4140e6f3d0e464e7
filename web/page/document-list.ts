import { nextTurn } from "../../shared/async.ts";
import type { DocumentState } from "../search/service.ts";
import { attempt } from "./attempt.ts";
import type { OpenDocument } from "./document-view.ts";
import { find, make, makeButton, write } from "./elements.ts";
import { pathOf } from "./result-item.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";
import { count, countOf, numeral } from "./wording.ts";

/** The number of listed documents; the filter finds the others. */
const maxListed = 200;

/** ms between refreshes while documents are added. */
const refreshPause = 1000;

/** Updates the store with the documents of the shown collection. */
export function followDocuments(store: PageStore, service: Search): void {
  let wanted = "";
  let fetching = false;
  const fetchDocuments = async () => {
    fetching = true;
    let fetched = "";
    try {
      while (fetched !== wanted) {
        fetched = wanted;
        const collection = shownCollection(store.get());
        const documents = collection && (await (await service).documents(collection.id).catch(() => null));
        // Another collection may be shown by now.
        if (documents && collection.id === shownCollection(store.get())?.id) store.update({ documents });
        if (fetched !== wanted) await new Promise((resolve) => setTimeout(resolve, refreshPause));
      }
    } finally {
      fetching = false;
    }
  };
  let shown = "";
  store.watch(["collections", "chosen"], (state) => {
    const { id = "", version, coverage } = shownCollection(state) ?? {};
    if (id !== shown) store.update({ documents: [] });
    shown = id;
    wanted = id === "" ? "" : JSON.stringify([id, version, coverage]);
    if (!fetching) void fetchDocuments().catch(() => {});
  });
}

/** The list of the visitor's documents, with buttons to open and remove them. */
export function mountDocumentList(store: PageStore, service: Search, open: OpenDocument): void {
  const box = find("#document-list", HTMLElement);
  const filter = find("#document-filter", HTMLInputElement);
  const list = find("ul", HTMLUListElement, box);
  const rest = find(".rest", HTMLElement, box);
  const items = new Map<string, DocumentItem>();
  let newest = Symbol();

  const remove = (id: string) => {
    // The focused button disappears: the focus moves to the next one.
    const ids = [...items.keys()];
    const next = items.get(ids[ids.indexOf(id) + 1] ?? "") ?? items.get(ids[ids.indexOf(id) - 1] ?? "");
    (next?.remove ?? find("#files", HTMLElement)).focus({ preventScroll: true });
    void attempt(store, async () => {
      const collection = shownCollection(store.get());
      if (collection) await (await service).remove(collection.id, [id]);
    });
  };

  /** Updates items in place, so that a button keeps its focus, and yields regularly, because there may be many. */
  const paint = async () => {
    const painting = Symbol();
    newest = painting;
    const { documents } = store.get();
    box.hidden = documents.length === 0;
    filter.hidden = documents.length < 8 && filter.value === "";
    const needle = filter.value.trim().toLowerCase();
    const found = needle === "" ? documents : documents.filter(({ title, id }) => `${title}\n${id}`.toLowerCase().includes(needle));
    const listed = found.slice(0, maxListed);
    const kept = new Set(listed.map(({ id }) => id));
    for (const [id, { element }] of items) {
      if (kept.has(id)) continue;
      element.remove();
      items.delete(id);
    }
    let at = list.firstElementChild;
    let since = performance.now();
    for (const document of listed) {
      const item = items.get(document.id) ?? makeDocumentItem(document, open, remove);
      items.set(document.id, item);
      item.show(document);
      if (item.element === at) at = at.nextElementSibling;
      else list.insertBefore(item.element, at);
      if (performance.now() - since < 8) continue;
      await nextTurn();
      if (newest !== painting) return;
      since = performance.now();
    }
    const others = found.length - listed.length;
    rest.hidden = others <= 0 && !(found.length === 0 && needle !== "");
    write(rest, found.length === 0 ? "No document matches." : `And ${numeral(others)} more. Use the filter to find them.`);
  };
  filter.addEventListener("input", () => void paint());
  store.watch(["documents"], () => void paint());
}

interface DocumentItem {
  readonly element: HTMLLIElement;
  readonly remove: HTMLButtonElement;
  show(document: DocumentState): void;
}

function makeDocumentItem(document: DocumentState, open: OpenDocument, onRemove: (id: string) => void): DocumentItem {
  let shown = document;
  const title = makeButton("title", "", () => open(shown, null));
  const note = make("small", "");
  const remove = makeButton("quiet", "Remove", () => onRemove(document.id));
  return {
    element: make("li", "", title, note, remove),
    remove,
    show(next) {
      shown = next;
      write(title, next.title);
      title.title = pathOf(next).join("/") || next.title;
      write(note, noteOn(next));
      remove.ariaLabel = `Remove ${next.title}`;
    },
  };
}

function noteOn({ kind, passages, coverage: { done, total }, keywordOnly }: DocumentState): string {
  const found = done < total ? `${countOf(done, total, "passage")} embedded` : count(passages, "passage");
  return [kind, found, keywordOnly ? "keyword search only: not English" : ""].filter(Boolean).join(" · ");
}
