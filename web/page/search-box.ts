import type { Remote } from "comlink";
import { EncoderError } from "../../shared/errors.ts";
import type { SearchService } from "../search-worker.ts";
import { find, make } from "./elements.ts";
import type { PageStore } from "./state.ts";

/** How long typing must rest before a query is asked, in ms: longer than between two keys of a quick typist. */
const typingPause = 120;

/** The search box and the example queries. What is asked last is what is answered. */
export function mountSearchBox(store: PageStore, service: Promise<Remote<SearchService>>): void {
  const form = find("#search", HTMLFormElement);
  const input = find("#query", HTMLInputElement);
  const examples = find("#examples", HTMLElement);
  let pause: ReturnType<typeof setTimeout> | undefined;

  const ask = (delay: number) => {
    clearTimeout(pause);
    const query = input.value.trim();
    store.update({ query, searchProblem: null, ...(query === "" && { answer: null }) });
    if (query !== "") pause = setTimeout(() => void answer(query), delay);
  };

  const answer = async (query: string) => {
    try {
      const found = await (await service).search(query);
      if (found && store.get().query === query) store.update({ answer: found });
    } catch (error) {
      if (store.get().query === query) store.update({ searchProblem: EncoderError.from(error).message });
    }
  };

  input.focus();
  input.addEventListener("input", () => ask(typingPause));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(0);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.select();
  });

  store.watch(["examples"], (state) => {
    examples.hidden = state.examples.length === 0;
    const buttons = state.examples.map(({ query }) => {
      const button = make("button", "example", query);
      button.type = "button";
      button.addEventListener("click", () => {
        input.value = query;
        ask(0);
      });
      return button;
    });
    examples.replaceChildren(make("span", "try", "Try"), ...buttons);
  });
  // Texts that come or go change the answer.
  store.watch(["documents"], () => {
    if (store.get().query !== "") ask(typingPause);
  });
  // What was found by words alone is looked for by meaning too, as soon as that is possible.
  store.watch(["model"], ({ model }) => {
    const { query, answer } = store.get();
    if (model.phase === "ready" && query !== "" && answer?.mode === "words") ask(0);
  });
  store.watch(["query"], ({ query }) => {
    for (const button of examples.querySelectorAll("button")) button.ariaPressed = String(button.textContent === query);
  });
}
