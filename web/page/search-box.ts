import { find, make, makeButton } from "./elements.ts";
import { typingPause } from "./query-runner.ts";
import { fewResults, type PageStore, searchesBuiltIn } from "./state.ts";

/** The search box and the example queries. */
export function mountSearchBox(store: PageStore, runQuery: (delay: number) => void): void {
  const form = find("#search", HTMLFormElement);
  const input = find("#query", HTMLInputElement);
  const hint = find("#hint", HTMLParagraphElement);
  const examples = find("#examples", HTMLElement);

  const submit = (delay: number) => {
    const query = input.value.trim();
    const isNew = query !== store.get().query;
    store.update({ query, searchProblem: null, ...(isNew && { limit: fewResults }), ...(query === "" && { answer: null }) });
    runQuery(delay);
  };

  input.focus();
  input.addEventListener("input", () => submit(typingPause));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(0);
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
        submit(0);
      }),
    );
    examples.replaceChildren(make("span", "try", "Try"), ...buttons);
  });
  // Examples are for the built-in documents, and hidden for other queries.
  store.watch(["examples", "query", "collections", "chosen", "builtIn"], (state) => {
    const isExample = state.examples.some(({ query }) => query === state.query);
    examples.hidden = state.examples.length === 0 || !searchesBuiltIn(state) || !(state.query === "" || isExample);
    hint.hidden = !(state.query === "" || /["-]/.test(state.query));
    for (const button of examples.querySelectorAll("button")) button.ariaPressed = String(button.textContent === state.query);
  });
}
