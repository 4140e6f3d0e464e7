import { EncoderError } from "../../shared/errors.ts";
import type { Hit } from "../../shared/index/hit.ts";
import { minRelevance, weakRelevance } from "../../shared/index/relevance.ts";
import type { PassageRelevance } from "../../shared/search/answer.ts";
import type { Document } from "../../shared/search/library.ts";
import { writeDocument } from "./document-slices.ts";
import { find, write } from "./elements.ts";
import { HeatStrip } from "./heat-strip.ts";
import { pathOf } from "./result-item.ts";
import { everything, type PageStore, type Search, shownCollection } from "./state.ts";
import { numeral } from "./wording.ts";

/** Opens a document, at the passage that begins at `start`. */
export type OpenDocument = (document: Pick<Document, "id" | "title" | "kind">, start: number | null) => void;

/** ms that a document waits for its heat map; after that the heat map is added to the shown text. */
const patience = 300;

/** The view of a whole document, with a heat map of the query and steps between relevant passages. */
export function mountDocumentView(store: PageStore, service: Search): OpenDocument {
  const dialog = find("#document-view", HTMLDialogElement);
  const textElement = find(".text", HTMLElement, dialog);
  // Focusable, so that the keyboard scrolls it in every browser.
  textElement.tabIndex = 0;
  const remark = find(".remark", HTMLElement, dialog);
  const stepsBox = find(".steps", HTMLElement, dialog);
  const strip = new HeatStrip((passage) => go(passage));
  let opened = Symbol();
  let document: Parameters<OpenDocument>[0] | null = null;
  let passages: readonly PassageRelevance[] = [];
  let steps: number[] = [];
  let current: number | null = null;
  const elements = new Map<number, HTMLElement>();

  const open: OpenDocument = (opening, start) => {
    const token = Symbol();
    opened = token;
    document = opening;
    write(find("h2", HTMLElement, dialog), opening.title);
    write(find(".source", HTMLElement, dialog), [pathOf(opening).join(" › "), opening.kind].filter(Boolean).join(" · "));
    textElement.replaceChildren("Opening");
    present([], null);
    strip.clear();
    dialog.showModal();
    textElement.focus({ preventScroll: true });
    textElement.scrollTop = 0;
    read(opening.id, start, () => opened === token).catch((error) => {
      if (opened === token) write(textElement, EncoderError.from(error).message);
    });
  };

  /** Reads a document, marks the results of the answer in it, and then adds its heat map. */
  const read = async (id: string, start: number | null, isWanted: () => boolean) => {
    const { query, answer } = store.get();
    const collection = shownCollection(store.get());
    const search = await service;
    if (!collection) return;
    const found = answer?.query === query ? answer.hits.filter((hit) => hit.id === id) : [];
    const relevance = query === "" ? Promise.resolve(null) : search.relevanceIn(collection.id, id, query);
    relevance.catch(() => {});
    const { text } = await search.document(collection.id, id);
    const soon = await Promise.race([relevance.catch(() => null), new Promise<null>((resolve) => setTimeout(resolve, patience, null))]);
    if (!isWanted()) return;
    await show(text, soon ?? placesOf(found), found, start, isWanted);
    if (soon || query === "" || !isWanted()) return;
    write(remark, "The heat map appears when the model has computed it.");
    const late = await relevance.catch(() => null);
    if (!isWanted()) return;
    write(remark, late ? "" : "No heat map: the model is not available.");
    if (late) await show(text, late, found, passages[current ?? -1]?.start ?? start, isWanted);
  };

  const show = async (
    text: string,
    all: readonly PassageRelevance[],
    found: readonly Hit[],
    start: number | null,
    isWanted: () => boolean,
  ) => {
    const stepSet = stepsIn(all, new Set(found.map(({ passage }) => passage.start)));
    present(all, stepSet);
    elements.clear();
    const at = start === null ? -1 : all.findIndex((passage) => passage.start === start);
    const words = found.flatMap(({ passage }) => passage.marks).sort((a, b) => a.start - b.start);
    const stripShown = strip.show(all, text.length, isWanted);
    const onPassage = (passage: number, element: HTMLElement) => {
      elements.set(passage, element);
      // As soon as it is in the page: later passages do not move it.
      if (passage === at) queueMicrotask(() => go(at));
    };
    await writeDocument(textElement, { text, passages: all, steps: stepSet, words }, onPassage, isWanted);
    await stripShown;
    if (isWanted()) strip.mark(current);
  };

  const present = (all: readonly PassageRelevance[], stepSet: ReadonlySet<number> | null) => {
    passages = all;
    steps = [...(stepSet ?? [])].sort((a, b) => a - b);
    current = null;
    stepsBox.hidden = steps.length === 0;
    write(remark, "");
    paintPosition();
  };

  const paintPosition = () => {
    const at = current === null ? -1 : steps.indexOf(current);
    write(find(".position", HTMLElement, stepsBox), at === -1 ? numeral(steps.length) : `${numeral(at + 1)} of ${numeral(steps.length)}`);
  };

  const go = (passage: number) => {
    const element = elements.get(passage);
    if (!element?.isConnected) return;
    if (current !== null) elements.get(current)?.classList.remove("current");
    current = passage;
    element.classList.add("current");
    element.scrollIntoView({ block: element.offsetHeight > 0.6 * textElement.clientHeight ? "start" : "center" });
    // Screen readers continue there. On the strip, the focus stays for the arrow keys.
    if (element.tabIndex === -1 && element.role && !globalThis.document.activeElement?.classList.contains("segment"))
      element.focus({ preventScroll: true });
    strip.mark(passage);
    paintPosition();
  };

  const step = (direction: 1 | -1) => {
    const at = current ?? (direction === 1 ? -1 : passages.length);
    const next = direction === 1 ? steps.find((passage) => passage > at) : steps.findLast((passage) => passage < at);
    // After the last one the first follows.
    const wrapped = next ?? (direction === 1 ? steps[0] : steps.at(-1));
    if (wrapped !== undefined) go(wrapped);
  };

  find(".previous", HTMLElement, dialog).addEventListener("click", () => step(-1));
  find(".next", HTMLElement, dialog).addEventListener("click", () => step(1));
  find(".close", HTMLElement, dialog).addEventListener("click", () => dialog.close());
  find(".only", HTMLElement, dialog).addEventListener("click", () => {
    if (!document) return;
    store.update({ scope: { ...everything, document: { id: document.id, title: document.title } } });
    dialog.close();
    find("#query", HTMLInputElement).focus({ preventScroll: true });
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const direction = { n: 1, j: 1, p: -1, k: -1 }[event.key] as 1 | -1 | undefined;
    if (!direction) return;
    event.preventDefault();
    step(direction);
  });
  // A click outside the sheet closes it.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    opened = Symbol();
    strip.clear();
    textElement.replaceChildren();
    elements.clear();
    // The browser has returned the focus to the result that opened the dialog, unless that is gone. This event comes later: the user
    // may have moved the focus since.
    const focused = globalThis.document.activeElement;
    if (!focused || focused === globalThis.document.body) find("#query", HTMLInputElement).focus({ preventScroll: true });
  });
  return open;
}

/** The results of a document as its passages, until all are known. */
function placesOf(found: readonly Hit[]): PassageRelevance[] {
  return found.map(({ passage: { start, end }, relevance }) => ({ start, end, relevance })).sort((a, b) => a.start - b.start);
}

/** The passages to step through: relevant and found ones; when there are none, the three closest. */
function stepsIn(passages: readonly PassageRelevance[], found: ReadonlySet<number>): Set<number> {
  const stops = [...passages.keys()].filter((i) => found.has(passages[i]?.start ?? -1) || (passages[i]?.relevance ?? 0) >= weakRelevance);
  if (stops.length > 0) return new Set(stops);
  const relevanceAt = (i: number) => passages[i]?.relevance ?? 0;
  const nearest = [...passages.keys()].filter((i) => relevanceAt(i) >= minRelevance).sort((a, b) => relevanceAt(b) - relevanceAt(a));
  return new Set(nearest.slice(0, 3));
}
