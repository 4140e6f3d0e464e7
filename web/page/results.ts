import type { Answer } from "../../shared/search/answer.ts";
import type { OpenDocument } from "./document-view.ts";
import { find, write } from "./elements.ts";
import { kindOf, makeResultItem, type ResultItem } from "./result-item.ts";
import { fewResults, keyOf, type PageState, type PageStore } from "./state.ts";

/** The maximum number of results. */
const maxResults = 96;

/** The list of results. A result that is found again keeps its element, with focus, selection and scroll position. */
export function mountResults(store: PageStore, open: OpenDocument): void {
  const list = find("#results", HTMLOListElement);
  const none = find("#no-results", HTMLParagraphElement);
  const more = find("#more-results", HTMLButtonElement);
  const legend = find("#legend", HTMLParagraphElement);
  let items = new Map<string, ResultItem>();

  store.watch(["answer", "closest"], ({ answer, ...state }) => {
    // The closest sentences of an earlier semantic search do not belong to a keyword search.
    const closest: PageState["closest"] = answer?.mode === "keyword" ? new Map() : state.closest;
    write(none, remarkOn(answer));
    none.hidden = none.textContent === "";
    const hits = answer?.hits ?? [];
    const before = items;
    items = new Map();
    for (const hit of hits) {
      const key = keyOf(hit);
      const item = before.get(key) ?? makeResultItem((shown) => open({ ...shown, kind: kindOf(shown) }, shown.passage.start));
      item.show({ hit, mode: answer?.mode ?? "hybrid", closest: closest.get(key) ?? null });
      items.set(key, item);
    }
    arrange(list, [...items.values()]);
    legend.hidden = hits.length === 0;
    find(".keyword-legend", HTMLElement, legend).hidden = !hits.some(({ passage }) => passage.marks.length > 0);
    find(".semantic-legend", HTMLElement, legend).hidden = !hits.some((hit) => closest.has(keyOf(hit)));
  });
  store.watch(["answer", "limit"], ({ answer, limit }) => {
    more.hidden = !answer || answer.hits.length < limit || limit >= maxResults;
  });
  more.addEventListener("click", () => {
    // Reading continues after the last result.
    const last = [...items.values()].at(-1);
    last?.button.focus({ preventScroll: true });
    store.update({ limit: Math.min(maxResults, store.get().limit + 2 * fewResults) });
  });

  /** Arrow keys move from the search box through the results, and back. */
  const input = find("#query", HTMLInputElement);
  const move = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const buttons = [...items.values()].map(({ button }) => button);
    const at = buttons.findIndex((button) => button === event.target);
    const next = at + step === -1 && at === 0 ? input : buttons[at + step];
    if (step === 0 || !next || (at === -1 && step === -1)) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    (next.closest("li") ?? next).scrollIntoView({ block: "nearest" });
  };
  list.addEventListener("keydown", move);
  input.addEventListener("keydown", move);
}

/** Orders the items. Moving the focused element would lose the focus: it is restored. */
function arrange(list: HTMLElement, items: readonly ResultItem[]): void {
  const wanted = new Set<Element>(items.map(({ element }) => element));
  const focused = document.activeElement;
  for (const element of [...list.children]) if (!wanted.has(element)) element.remove();
  let at = list.firstElementChild;
  for (const { element } of items) {
    if (element === at) at = at.nextElementSibling;
    else list.insertBefore(element, at);
  }
  if (focused instanceof HTMLElement && focused !== document.activeElement && list.contains(focused))
    focused.focus({ preventScroll: true });
}

function remarkOn(answer: Answer | null): string {
  if (!answer) return "";
  if (answer.hits.length === 0) return "No results.";
  // A passage without a vector may still match well.
  const allWeak = answer.hits.every(({ strength, relevance }) => strength === "weak" && relevance !== null);
  return allWeak ? "No good match. The closest passages:" : "";
}
