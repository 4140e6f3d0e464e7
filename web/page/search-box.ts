import { typingPause } from "./asking.ts";
import { find, make, makeButton } from "./elements.ts";
import { fewResults, type PageStore, searchesBuiltIn } from "./state.ts";

/** The search box and the example queries. */
export function mountSearchBox(store: PageStore, ask: (delay: number) => void): void {
  const form = find("#search", HTMLFormElement);
  const input = find("#query", HTMLInputElement);
  const hint = find("#hint", HTMLParagraphElement);
  const examples = find("#examples", HTMLElement);

  const take = (delay: number) => {
    const query = input.value.trim();
    const isNew = query !== store.get().query;
    store.update({ query, searchProblem: null, ...(isNew && { limit: fewResults }), ...(query === "" && { answer: null }) });
    ask(delay);
  };

  input.focus();
  input.addEventListener("input", () => take(typingPause));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(0);
  });
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const typing =
      target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !/^(radio|checkbox|file)$/.test(target.type));
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    input.select();
  });

  store.watch(["examples"], (state) => {
    const buttons = state.examples.map(({ query }) =>
      makeButton("example", query, () => {
        input.value = query;
        take(0);
      }),
    );
    examples.replaceChildren(make("span", "try", "Try"), ...buttons);
  });
  // They are questions to the built-in documents, and give way to questions of one's own.
  store.watch(["examples", "query", "collections", "chosen", "builtIn"], (state) => {
    const isExample = state.examples.some(({ query }) => query === state.query);
    examples.hidden = state.examples.length === 0 || !searchesBuiltIn(state) || !(state.query === "" || isExample);
    hint.hidden = !(state.query === "" || /["-]/.test(state.query));
    for (const button of examples.querySelectorAll("button")) button.ariaPressed = String(button.textContent === state.query);
  });
}
