import { proxy, type Remote } from "comlink";
import { EncoderError } from "../../shared/errors.ts";
import type { SearchService } from "../search-worker.ts";
import { find, make } from "./elements.ts";
import type { AddedDocument, PageStore } from "./state.ts";

/** The largest file, in bytes: some two thousand pages. */
const largestFile = 4_000_000;

/** Adds texts: pasted, chosen as files or dropped anywhere on the page. Lists them, with a way to remove each. */
export function mountDocuments(store: PageStore, service: Promise<Remote<SearchService>>): void {
  const section = find("#documents", HTMLElement);
  const form = find("form", HTMLFormElement, section);
  const textarea = find("textarea", HTMLTextAreaElement, section);
  const fileInput = find("input[type=file]", HTMLInputElement, section);
  const problem = find(".problem", HTMLParagraphElement, section);
  let added = 0;

  const change = (id: string, patch: Partial<AddedDocument>) => {
    store.update({ documents: store.get().documents.map((document) => (document.id === id ? { ...document, ...patch } : document)) });
  };

  const add = async (title: string, kind: string, text: string) => {
    added += 1;
    const id = `added-${added}`;
    store.update({ documents: [...store.get().documents, { id, title, progress: null, problem: null }] });
    const onProgress = proxy((progress: { done: number; total: number }) => change(id, { progress }));
    try {
      await (await service).add({ id, title, kind, text }, onProgress);
    } catch (error) {
      // To a document that was removed meanwhile, this changes nothing.
      change(id, { problem: EncoderError.from(error).message });
    }
  };

  const remove = async (id: string) => {
    store.update({ documents: store.get().documents.filter((document) => document.id !== id) });
    await (await service).remove(id);
  };

  const addFiles = async (files: Iterable<File>) => {
    const problems: string[] = [];
    for (const file of files) {
      try {
        void add(file.name.replace(/\.[^.]+$/, ""), file.name, await readText(file));
      } catch (error) {
        problems.push(`${file.name} ${error instanceof Error ? error.message : error}`);
      }
    }
    problem.textContent = problems.join(" ");
    problem.hidden = problems.length === 0;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = textarea.value;
    if (text.trim() === "") return textarea.focus();
    textarea.value = "";
    void add(titleOf(text), "your text", text);
  });
  fileInput.addEventListener("change", () => {
    void addFiles([...(fileInput.files ?? [])]);
    fileInput.value = "";
  });
  acceptDrops((files) => void addFiles(files));
  listDocuments(store, find("ul", HTMLUListElement, section), (id) => void remove(id));
}

/** Paints the list item by item, so that a button keeps its focus while another text makes progress. */
function listDocuments(store: PageStore, list: HTMLUListElement, remove: (id: string) => void): void {
  const items = new Map<string, { readonly item: HTMLLIElement; readonly note: HTMLElement }>();
  store.watch(["documents", "model"], ({ documents, model }) => {
    for (const [id, { item }] of items) {
      if (documents.some((document) => document.id === id)) continue;
      item.remove();
      items.delete(id);
    }
    for (const document of documents) {
      const { id, title } = document;
      let painted = items.get(id);
      if (!painted) {
        const button = make("button", "quiet", "Remove");
        button.type = "button";
        button.ariaLabel = `Remove ${title}`;
        button.addEventListener("click", () => remove(id));
        const note = make("small", "");
        painted = { item: make("li", "", make("span", "title", title), note, button), note };
        items.set(id, painted);
        list.append(painted.item);
      }
      painted.note.textContent = noteOn(document, model.phase === "ready");
    }
  });
}

function noteOn({ progress, problem }: AddedDocument, modelReady: boolean): string {
  if (problem) return problem;
  if (!progress) return modelReady ? "Being read" : "Waits for the model";
  const { done, total } = progress;
  if (done < total) return `${done} of ${total} passages`;
  return total === 1 ? "1 passage" : `${total} passages`;
}

/** Files dropped anywhere on the page: beside a drop zone, the browser would leave the page for the file. */
function acceptDrops(onFiles: (files: Iterable<File>) => void): void {
  const root = document.documentElement;
  const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
  root.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    root.classList.add("dropping");
  });
  root.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) root.classList.remove("dropping");
  });
  root.addEventListener("drop", (event) => {
    root.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    onFiles([...(event.dataTransfer?.files ?? [])]);
  });
}

/** A file's text. Throws an error that ends a sentence which begins with the file's name. */
async function readText(file: File): Promise<string> {
  if (!/\.(txt|md)$/i.test(file.name)) throw new Error("is neither .txt nor .md.");
  if (file.size > largestFile) throw new Error(`has more than ${largestFile / 1e6} MB.`);
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("is not text in UTF-8.");
  }
}

/** The first line, shortened at a word's end. */
function titleOf(text: string): string {
  const [line = ""] = text.trim().split("\n");
  return line.length <= 60 ? line.trim() : `${line.slice(0, 60).replace(/\s+\S*$/, "")} …`;
}
