import type { Answer } from "../../shared/search/answer.ts";
import type { Indexing } from "../search/service.ts";
import { find, write } from "./elements.ts";
import { type PageStore, shownCollection } from "./state.ts";
import { modelText } from "./status.ts";
import { count, countOf } from "./wording.ts";

/** ms without a new answer before an answer is announced. */
const settled = 800;

/** ms between announcements of progress. */
const reminder = 30_000;

/** Writes a text to the page's live region, which screen readers read aloud. */
export function announce(text: string): void {
  write(find("#announcements", HTMLElement), text);
}

/** Announces the state of the model, answers and progress. */
export function mountAnnouncements(store: PageStore): void {
  let phase = "";
  store.watch(["model"], ({ model }) => {
    if (model.phase !== phase) announce(modelText(model));
    phase = model.phase;
  });

  let pause: ReturnType<typeof setTimeout> | undefined;
  let announced = "";
  store.watch(["answer"], ({ answer }) => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const text = answer ? answerText(answer) : "";
      // A refresh while documents are added mostly finds the same.
      if (text !== announced) announce(text);
      announced = text;
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
      if (now === "embedding") announce(`${countOf(done, total, "passage")} embedded.`);
      if (now === "paused") announce("Paused.");
      if (now === null && worked !== null) announce(`${count(done, "passage")} embedded.`);
    }
    worked = now;
  });
}

function answerText({ hits, query }: Answer): string {
  const [first] = hits;
  if (!first) return `Nothing found for ${query}.`;
  return `${count(hits.length, "passage")} for ${query}. First${first.strength === "weak" ? ", a weak match" : ""}: ${first.title}.`;
}
