import { nextTurn } from "../../shared/async.ts";
import type { DocumentState } from "../search/service.ts";
import { attempt } from "./attempt.ts";
import type { OpenDocument } from "./document-view.ts";
import { find, make, makeButton, write } from "./elements.ts";
import { pathOf } from "./result-item.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";
import { count, countOf, numeral } from "./wording.ts";

/** The most documents that are listed: of more, a filter finds the others. */
const maxListed = 200;

/** How often the list is asked for while documents come in, in ms. */
const refreshPause = 1000;

/** Keeps the store told of the documents of the collection that is shown. */
export function followDocuments(store: PageStore, service: Search): void {
  let wanted = "";
  let asking = false;
  const ask = async () => {
    asking = true;
    let asked = "";
    try {
      while (asked !== wanted) {
        asked = wanted;
        const collection = shownCollection(store.get());
        const documents = collection && (await (await service).documents(collection.id).catch(() => null));
        // Another collection may be shown by now, or this one be gone.
        if (documents && collection.id === shownCollection(store.get())?.id) store.update({ documents });
        if (asked !== wanted) await new Promise((resolve) => setTimeout(resolve, refreshPause));
      }
    } finally {
      asking = false;
    }
  };
  let shown = "";
  store.watch(["collections", "chosen"], (state) => {
    const { id = "", version, coverage } = shownCollection(state) ?? {};
    if (id !== shown) store.update({ documents: [] });
    shown = id;
    wanted = id === "" ? "" : JSON.stringify([id, version, coverage]);
    if (!asking) void ask().catch(() => {});
  });
}

/** The list of the visitor's documents: each can be opened, searched by itself, and removed. */
export function mountDocumentList(store: PageStore, service: Search, open: OpenDocument): void {
  const box = find("#document-list", HTMLElement);
  const filter = find("#document-filter", HTMLInputElement);
  const list = find("ul", HTMLUListElement, box);
  const rest = find(".rest", HTMLElement, box);
  const items = new Map<string, DocumentItem>();
  let newest = Symbol();

  const remove = (id: string) => {
    // The focus goes to the next one, for this one's button goes.
    const ids = [...items.keys()];
    const next = items.get(ids[ids.indexOf(id) + 1] ?? "") ?? items.get(ids[ids.indexOf(id) - 1] ?? "");
    (next?.remove ?? find("#files", HTMLElement)).focus({ preventScroll: true });
    void attempt(store, async () => {
      const collection = shownCollection(store.get());
      if (collection) await (await service).remove(collection.id, [id]);
    });
  };

  /** Item by item, so that a button keeps its focus while another text makes progress; and in parts, for there may be many. */
  const paint = async () => {
    const painting = Symbol();
    newest = painting;
    const { documents } = store.get();
    box.hidden = documents.length === 0;
    filter.hidden = documents.length < 8 && filter.value === "";
    const sought = filter.value.trim().toLowerCase();
    const found = sought === "" ? documents : documents.filter(({ title, id }) => `${title}\n${id}`.toLowerCase().includes(sought));
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
    rest.hidden = others <= 0 && !(found.length === 0 && sought !== "");
    write(rest, found.length === 0 ? "No document is called that." : `And ${numeral(others)} more: filter to find them.`);
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
  const found = done < total ? `${countOf(done, total, "passage")} by meaning` : count(passages, "passage");
  return [kind, found, keywordOnly ? "by words only: not English" : ""].filter(Boolean).join(" · ");
}
