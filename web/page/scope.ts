import type { SearchMode } from "../../shared/index/fusion.ts";
import type { DocumentState } from "../search/service.ts";
import { find, offer, write } from "./elements.ts";
import { pathOf } from "./result-item.ts";
import { everything, type PageStore, type Scope, shownCollection } from "./state.ts";

/** The number of offered folders. */
const maxFolders = 200;

/** The search mode and filters. */
export function mountScope(store: PageStore): void {
  const mode = find("#mode", HTMLFieldSetElement);
  mode.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement) store.update({ mode: target.value as SearchMode });
  });
  const builtIn = find("#built-in", HTMLInputElement);
  builtIn.addEventListener("change", () => store.update({ builtIn: builtIn.checked }));
  store.watch(["builtIn", "collections", "chosen"], (state) => {
    builtIn.checked = state.builtIn;
    if (builtIn.parentElement) builtIn.parentElement.hidden = !shownCollection(state)?.documents;
  });

  mountSelect("kind", "All kinds", ({ documents }) => [...new Set(documents.map(({ kind }) => kind))].sort());
  mountSelect("folder", "All folders", ({ documents }) => foldersOf(documents));
  const { clear, filter } = partsOf("document");
  clear.addEventListener("click", () => change({ document: null }));
  store.watch(["scope"], ({ scope }) => {
    filter.hidden = !scope.document;
    write(find(".name", HTMLElement, filter), scope.document?.title ?? "");
  });

  // A filter belongs to one collection.
  let collection = shownCollection(store.get())?.id;
  store.watch(["collections", "chosen"], (state) => {
    const shown = shownCollection(state)?.id;
    if (shown !== collection) store.update({ scope: everything });
    collection = shown;
  });

  function change(patch: Partial<Scope>): void {
    store.update({ scope: { ...store.get().scope, ...patch } });
    // The button that cleared a filter may be hidden now.
    if (document.activeElement === document.body) find("#query", HTMLInputElement).focus();
  }

  function partsOf(name: keyof Scope) {
    const filter = find(`[data-filter=${name}]`, HTMLElement);
    return { filter, clear: find(".clear", HTMLButtonElement, filter) };
  }

  /** A filter whose options are the values of the documents. */
  function mountSelect(
    name: "kind" | "folder",
    all: string,
    valuesOf: (state: Pick<ReturnType<PageStore["get"]>, "documents">) => string[],
  ): void {
    const { filter, clear } = partsOf(name);
    const select = find("select", HTMLSelectElement, filter);
    select.addEventListener("change", () => change({ [name]: select.value || null }));
    clear.addEventListener("click", () => {
      select.focus();
      change({ [name]: null });
    });
    let values: string[] = [];
    store.watch(["documents"], (state) => {
      values = valuesOf(state);
    });
    store.watch(["documents", "scope"], ({ scope }) => {
      const value = scope[name];
      const offered = value === null || values.includes(value) ? values : [...values, value];
      offer(select, [["", all], ...offered.map((each) => [each, each.replace(/\/$/, "")] as const)], value ?? "");
      filter.hidden = offered.length < (name === "kind" ? 2 : 1);
      filter.classList.toggle("set", value !== null);
      clear.hidden = value === null;
    });
  }
}

/** All folders of the files, with parent folders, each with a slash at its end. */
function foldersOf(documents: readonly Pick<DocumentState, "id" | "kind">[]): string[] {
  const folders = new Set<string>();
  for (const document of documents) {
    const path = pathOf(document);
    for (let depth = path.length - 1; depth > 0; depth--) {
      const folder = `${path.slice(0, depth).join("/")}/`;
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return [...folders].sort().slice(0, maxFolders);
}
