import type { CollectionState } from "../search/service.ts";
import { attempt } from "./attempt.ts";
import { find, make, write } from "./elements.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";
import { count, countOf, numeral, rate, timeLeft } from "./wording.ts";

/** The number of listed problems. */
const maxProblems = 200;

/** The progress of indexing, with buttons to pause it and to stop reading files, and the files that could not be added. */
export function mountIndexing(store: PageStore, service: Search): void {
  const box = find("#indexing", HTMLElement);
  const doing = find(".doing", HTMLElement, box);
  const bar = find("progress", HTMLProgressElement, box);
  const rateLine = find(".rate", HTMLElement, box);
  const pause = find(".pause", HTMLButtonElement, box);
  const stop = find(".stop", HTMLButtonElement, box);

  pause.addEventListener("click", () => {
    void attempt(store, async () => {
      const collection = shownCollection(store.get());
      const search = await service;
      if (collection?.indexing?.phase === "paused") await search.resume(collection.id);
      else if (collection) await search.pause(collection.id);
    });
  });
  stop.addEventListener("click", () => {
    void attempt(store, async () => {
      const collection = shownCollection(store.get());
      if (collection) await (await service).stopReading(collection.id);
    });
  });

  store.watch(["collections", "chosen", "model"], (state) => {
    const collection = shownCollection(state);
    // The box disappears with the focused button: the focus moves on.
    if (!collection?.indexing && box.contains(document.activeElement)) find("#files", HTMLElement).focus({ preventScroll: true });
    box.hidden = !collection?.indexing;
    if (!collection?.indexing) return;
    const { indexing, coverage } = collection;
    write(doing, doingText(collection, state.model.phase === "ready"));
    const { done, total } = indexing.phase === "reading" && indexing.files ? indexing.files : coverage;
    bar.max = Math.max(total, 1);
    bar.value = done;
    bar.setAttribute("aria-valuetext", `${numeral(done)} of ${numeral(total)}`);
    write(rateLine, indexing.phase === "paused" ? "" : rateText(indexing));
    write(pause, indexing.phase === "paused" ? "Resume" : "Pause");
    if (!indexing.files && document.activeElement === stop) pause.focus({ preventScroll: true });
    stop.hidden = !indexing.files;
  });
  mountProblems(store);
}

function doingText({ indexing, coverage }: CollectionState, modelReady: boolean): string {
  const passages = countOf(coverage.done, coverage.total, "passage");
  if (indexing?.phase === "paused") return `Paused: ${passages} embedded.`;
  if (indexing?.files) return `Reading ${countOf(indexing.files.done, indexing.files.total, "file")}: ${passages} embedded.`;
  const searchable = "Documents are searchable by keyword";
  return modelReady
    ? `${searchable}: ${passages} embedded for semantic search.`
    : `${searchable} until the model is loaded: ${passages} embedded.`;
}

function rateText({ passagesPerSecond, secondsLeft }: NonNullable<CollectionState["indexing"]>): string {
  const parts = [
    passagesPerSecond !== null && passagesPerSecond > 0 && `${rate(passagesPerSecond)} passages a second`,
    secondsLeft !== null && `${timeLeft(secondsLeft)} left`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** The list of files that could not be added, until the visitor dismisses it. */
function mountProblems(store: PageStore): void {
  const box = find("#file-problems", HTMLDetailsElement);
  const summary = find("summary", HTMLElement, box);
  const list = find("ul", HTMLUListElement, box);
  let shown: CollectionState["problems"] = [];
  let closed = "";
  find("button", HTMLButtonElement, box).addEventListener("click", () => {
    closed = JSON.stringify(shown);
    box.hidden = true;
    find("#files", HTMLElement).focus({ preventScroll: true });
  });
  store.watch(["collections", "chosen"], (state) => {
    const problems = shownCollection(state)?.problems ?? [];
    if (problems === shown) return;
    shown = problems;
    box.hidden = problems.length === 0 || JSON.stringify(problems) === closed;
    if (box.hidden) return;
    const more = problems.length - maxProblems;
    write(summary, `${count(problems.length, "file")} could not be added`);
    list.replaceChildren(...problems.slice(0, maxProblems).map(({ message }) => make("li", "", message)));
    if (more > 0) list.append(make("li", "", `And ${count(more, "other")}.`));
  });
}
