import { EncoderError } from "../../shared/errors.ts";
import type { PassageRelevance, SearchResult } from "../../shared/search/answer.ts";
import type { Document } from "../../shared/search/library.ts";
import { minRelevance, weakRelevance } from "../../shared/search/relevance.ts";
import { writeDocument } from "./document-slices.ts";
import { find, write } from "./elements.ts";
import { HeatStrip } from "./heat-strip.ts";
import { pathOf } from "./result-item.ts";
import { everything, type PageStore, type Search, shownCollection } from "./state.ts";
import { numeral } from "./wording.ts";

/** Opens a document, at the passage that begins at `start`. */
export type OpenDocument = (document: Pick<Document, "id" | "title" | "kind">, start: number | null) => void;

/** How long the heat map may keep a text waiting, in ms: what takes longer comes in when the text is there already. */
const patience = 300;

/** The view of a whole document: with the query's heat map, and steps from one relevant passage to the next. */
export function mountDocumentView(store: PageStore, service: Search): OpenDocument {
  const dialog = find("#document-view", HTMLDialogElement);
  const textElement = find(".text", HTMLElement, dialog);
  // It is scrolled by keyboard, in every browser.
  textElement.tabIndex = 0;
  const remark = find(".remark", HTMLElement, dialog);
  const stepsBox = find(".steps", HTMLElement, dialog);
  const strip = new HeatStrip((passage) => go(passage));
  let opened = Symbol();
  let document: Parameters<OpenDocument>[0] | null = null;
  let opener: Element | null = null;
  let passages: readonly PassageRelevance[] = [];
  let steps: number[] = [];
  let current: number | null = null;
  const elements = new Map<number, HTMLElement>();

  const open: OpenDocument = (asked, start) => {
    const opening = Symbol();
    opened = opening;
    document = asked;
    opener = globalThis.document.activeElement;
    write(find("h2", HTMLElement, dialog), asked.title);
    write(find(".source", HTMLElement, dialog), [pathOf(asked).join(" › "), asked.kind].filter(Boolean).join(" · "));
    textElement.replaceChildren("Opening");
    present([], null);
    strip.clear();
    dialog.showModal();
    textElement.focus({ preventScroll: true });
    textElement.scrollTop = 0;
    read(asked.id, start, () => opened === opening).catch((error) => {
      if (opened === opening) write(textElement, EncoderError.from(error).message);
    });
  };

  /** Reads a document, with what the answer says of it, and then with its heat map. */
  const read = async (id: string, start: number | null, isWanted: () => boolean) => {
    const { query, answer } = store.get();
    const collection = shownCollection(store.get());
    const search = await service;
    if (!collection) return;
    const found = answer?.query === query ? answer.results.filter((result) => result.document.id === id) : [];
    const relevance = query === "" ? Promise.resolve(null) : search.relevanceIn(collection.id, id, query);
    relevance.catch(() => {});
    const { text } = await search.document(collection.id, id);
    const soon = await Promise.race([relevance.catch(() => null), new Promise<null>((resolve) => setTimeout(resolve, patience, null))]);
    if (!isWanted()) return;
    await show(text, soon ?? placesOf(found), found, start, isWanted);
    if (soon || query === "" || !isWanted()) return;
    write(remark, "The heat map comes as soon as the model has it.");
    const late = await relevance.catch(() => null);
    if (!isWanted()) return;
    write(remark, late ? "" : "There is no heat map: the model is not there.");
    if (late) await show(text, late, found, passages[current ?? -1]?.start ?? start, isWanted);
  };

  const show = async (
    text: string,
    all: readonly PassageRelevance[],
    found: readonly SearchResult[],
    start: number | null,
    isWanted: () => boolean,
  ) => {
    const stepSet = stepsIn(all, new Set(found.map(({ passage }) => passage.start)));
    present(all, stepSet);
    elements.clear();
    const at = start === null ? -1 : all.findIndex((passage) => passage.start === start);
    const words = found.flatMap((result) => result.words).sort((a, b) => a.start - b.start);
    const stripShown = strip.show(all, text.length, isWanted);
    const onPassage = (passage: number, element: HTMLElement) => {
      elements.set(passage, element);
      // As soon as it stands in the page: what comes after it does not move it.
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
    // Screen readers read on from there; on the strip, the arrow keys go on.
    if (element.tabIndex === -1 && element.role && !globalThis.document.activeElement?.classList.contains("segment"))
      element.focus({ preventScroll: true });
    strip.mark(passage);
    paintPosition();
  };

  const step = (direction: 1 | -1) => {
    const at = current ?? (direction === 1 ? -1 : passages.length);
    const next = direction === 1 ? steps.find((passage) => passage > at) : steps.findLast((passage) => passage < at);
    // From the last one it goes on with the first.
    const wrapped = next ?? (direction === 1 ? steps[0] : steps.at(-1));
    if (wrapped !== undefined) go(wrapped);
  };

  find(".previous", HTMLElement, dialog).addEventListener("click", () => step(-1));
  find(".next", HTMLElement, dialog).addEventListener("click", () => step(1));
  find(".close", HTMLElement, dialog).addEventListener("click", () => dialog.close());
  find(".only", HTMLElement, dialog).addEventListener("click", () => {
    if (!document) return;
    opener = find("#query", HTMLInputElement);
    store.update({ scope: { ...everything, document: { id: document.id, title: document.title } } });
    dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const direction = { n: 1, j: 1, p: -1, k: -1 }[event.key] as 1 | -1 | undefined;
    if (!direction) return;
    event.preventDefault();
    step(direction);
  });
  // Beside the sheet is the page that lies below: a click on it closes the sheet.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    opened = Symbol();
    strip.clear();
    textElement.replaceChildren();
    elements.clear();
    // Its result may have gone meanwhile.
    const back = opener instanceof HTMLElement && opener.isConnected ? opener : find("#query", HTMLInputElement);
    back.focus({ preventScroll: true });
  });
  return open;
}

/** The results of a document as passages of it, as long as the others are not known. */
function placesOf(found: readonly SearchResult[]): PassageRelevance[] {
  return found.map(({ passage: { start, end }, relevance }) => ({ start, end, relevance })).sort((a, b) => a.start - b.start);
}

/** Passages worth a stop: the relevant ones and those that were found; where there is none, the three that come nearest. */
function stepsIn(passages: readonly PassageRelevance[], found: ReadonlySet<number>): Set<number> {
  const stops = [...passages.keys()].filter((i) => found.has(passages[i]?.start ?? -1) || (passages[i]?.relevance ?? 0) >= weakRelevance);
  if (stops.length > 0) return new Set(stops);
  const relevanceAt = (i: number) => passages[i]?.relevance ?? 0;
  const nearest = [...passages.keys()].filter((i) => relevanceAt(i) >= minRelevance).sort((a, b) => relevanceAt(b) - relevanceAt(a));
  return new Set(nearest.slice(0, 3));
}
