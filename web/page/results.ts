import type { Answer } from "../../shared/search/answer.ts";
import type { OpenDocument } from "./document-view.ts";
import { find, write } from "./elements.ts";
import { makeResultItem, type ResultItem } from "./result-item.ts";
import { fewResults, keyOf, type PageState, type PageStore } from "./state.ts";

/** The most results that can be had. */
const maxResults = 96;

/** The passages that were found. What is found again stays where the visitor has it: focus, selection and scroll. */
export function mountResults(store: PageStore, open: OpenDocument): void {
  const list = find("#results", HTMLOListElement);
  const none = find("#no-results", HTMLParagraphElement);
  const more = find("#more-results", HTMLButtonElement);
  const legend = find("#legend", HTMLParagraphElement);
  let items = new Map<string, ResultItem>();

  store.watch(["answer", "closest"], ({ answer, ...state }) => {
    // Who searches by words alone is not told of meaning, though it may be known from before.
    const closest: PageState["closest"] = answer?.mode === "keyword" ? new Map() : state.closest;
    write(none, remarkOn(answer));
    none.hidden = none.textContent === "";
    const results = answer?.results ?? [];
    const before = items;
    items = new Map();
    for (const result of results) {
      const key = keyOf(result);
      const item = before.get(key) ?? makeResultItem(({ document, passage }) => open(document, passage.start));
      item.show({ result, mode: answer?.mode ?? "hybrid", closest: closest.get(key) ?? null });
      items.set(key, item);
    }
    arrange(list, [...items.values()]);
    legend.hidden = results.length === 0;
    find(".of-words", HTMLElement, legend).hidden = !results.some(({ words }) => words.length > 0);
    find(".of-meaning", HTMLElement, legend).hidden = !results.some((result) => closest.has(keyOf(result)));
  });
  store.watch(["answer", "limit"], ({ answer, limit }) => {
    more.hidden = !answer || answer.results.length < limit || limit >= maxResults;
  });
  more.addEventListener("click", () => {
    // The first of the new ones is where reading goes on.
    const last = [...items.values()].at(-1);
    last?.button.focus({ preventScroll: true });
    store.update({ limit: Math.min(maxResults, store.get().limit + 2 * fewResults) });
  });

  /** Arrow keys lead from the search box through the results, and back. */
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

/** Puts the items in order with as few moves as come by themselves, and keeps the focus, which a move would take. */
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
  if (answer.results.length === 0) return "Nothing here comes near this.";
  // Of what meaning has not seen yet, nobody can say so.
  const allWeak = answer.results.every(({ weak, relevance }) => weak && relevance !== null);
  return allWeak ? "Nothing here matches well. The nearest are:" : "";
}
