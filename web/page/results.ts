import type { Remote } from "comlink";
import type { Answer, SearchResult } from "../../shared/search/answer.ts";
import type { Chunk } from "../../shared/search/chunk.ts";
import type { SearchService } from "../search-worker.ts";
import { find, make } from "./elements.ts";
import type { PageStore } from "./state.ts";

/** The passages that were found, each with a way to read it in its document. */
export function mountResults(store: PageStore, service: Promise<Remote<SearchService>>): void {
  const list = find("#results", HTMLOListElement);
  const none = find("#no-results", HTMLParagraphElement);
  let painted = "";
  store.watch(["answer"], ({ answer }) => {
    none.textContent = remarkOn(answer);
    none.hidden = none.textContent === "";
    const results = answer?.results ?? [];
    // While texts are being added the query is asked again and again: what stays the same stays open where it is.
    const wanted = JSON.stringify(results);
    if (wanted === painted) return;
    painted = wanted;
    list.replaceChildren(...results.map((result) => resultItem(result, service)));
  });
}

function remarkOn(answer: Answer | null): string {
  const [best] = answer?.results ?? [];
  if (!answer) return "";
  if (!best) return "Nothing here comes near this.";
  return best.weak ? "Nothing here matches well. The nearest are:" : "";
}

function resultItem({ document, passage, cosine, relevance, weak }: SearchResult, service: Promise<Remote<SearchService>>): HTMLLIElement {
  const shown = relevance === null ? "words" : `${Math.round(100 * relevance)} %`;
  const score = make("span", "score", weak ? `${shown}, weak` : shown);
  score.title = cosine === null ? "Found by its words" : `Relevance, from a cosine of ${cosine.toFixed(3)}`;
  const head = make("div", "head", make("h3", "", document.title), make("span", "kind", document.kind), score);
  const item = make("li", weak ? "weak" : "", head, make("p", "passage", passage.text));
  if (passage.text.length < document.length) {
    item.append(contextOf(passage, () => service.then((search) => search.text(document.id))));
  }
  return item;
}

/** The passage in its document, which is asked for when it is opened. */
function contextOf({ text, start, end }: Chunk, source: () => Promise<string | null>): HTMLDetailsElement {
  const context = make("details", "", make("summary", "", "Read on"));
  const show = async () => {
    const whole = await source();
    const content = whole === null ? ["It was removed."] : [whole.slice(0, start), make("mark", "", text), whole.slice(end)];
    context.append(make("p", "document", ...content));
  };
  context.addEventListener("toggle", () => void show(), { once: true });
  return context;
}
