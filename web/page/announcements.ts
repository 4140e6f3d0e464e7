import type { Answer } from "../../shared/search/answer.ts";
import type { Indexing } from "../search/service.ts";
import { find, write } from "./elements.ts";
import { type PageStore, shownCollection } from "./state.ts";
import { modelText } from "./status.ts";
import { count, countOf } from "./wording.ts";

/** How long an answer must have stood before it is read aloud, in ms: nobody wants to hear one for each key. */
const settled = 800;

/** How often work that goes on is read aloud, in ms. */
const reminder = 30_000;

/** Puts a text into the page's one live region, so that screen readers read it aloud when they have nothing else to say. */
export function announce(text: string): void {
  write(find("#announcements", HTMLElement), text);
}

/** Announces what a visitor who does not see the page waits for: the model, answers, and how the work gets on. */
export function mountAnnouncements(store: PageStore): void {
  let phase = "";
  store.watch(["model"], ({ model }) => {
    if (model.phase !== phase) announce(modelText(model));
    phase = model.phase;
  });

  let pause: ReturnType<typeof setTimeout> | undefined;
  let told = "";
  store.watch(["answer"], ({ answer }) => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const text = answer ? answerText(answer) : "";
      // Asked again while documents come in, a query mostly finds the same.
      if (text !== told) announce(text);
      told = text;
    }, settled);
  });

  let worked: Indexing["phase"] | null = null;
  let last = 0;
  store.watch(["collections", "chosen"], (state) => {
    const collection = shownCollection(state);
    const now = collection?.indexing?.phase ?? null;
    const due = now !== null && now !== "paused" && performance.now() - last > reminder;
    if (collection && (now !== worked || due)) {
      const { done, total } = collection.coverage;
      last = performance.now();
      if (now === "reading") announce(`Reading ${count(collection.indexing?.files?.total ?? 1, "file")}.`);
      if (now === "embedding") announce(`${countOf(done, total, "passage")} can be found by meaning.`);
      if (now === "paused") announce("Paused.");
      if (now === null && worked !== null) announce(`${count(done, "passage")} can be found by meaning.`);
    }
    worked = now;
  });
}

function answerText({ results, query }: Answer): string {
  const [first] = results;
  if (!first) return `Nothing found for ${query}.`;
  return `${count(results.length, "passage")} for ${query}. First${first.weak ? ", a weak match" : ""}: ${first.document.title}.`;
}
