import { nextTurn } from "../../shared/async.ts";
import type { AddedFile } from "../search/service.ts";
import { askVisitor } from "./ask-dialog.ts";
import { attempt } from "./attempt.ts";
import { chosenFiles, droppedFiles } from "./dropped-files.ts";
import { find, write } from "./elements.ts";
import { isSingle, withDistinctNames } from "./equal-names.ts";
import { showNewCollection } from "./search-service.ts";
import { type PageStore, type Search, shownCollection } from "./state.ts";
import { count } from "./wording.ts";

/** Files per message to the worker: each takes almost 1 ms, during which the page cannot paint. */
const filesAtOnce = 16;

/** Adds documents to the shown collection: pasted, chosen as files or a folder, or dropped anywhere on the page. */
export function mountAdding(store: PageStore, service: Search): void {
  const form = find("#paste", HTMLFormElement);
  const textarea = find("#text", HTMLTextAreaElement);

  /** Does nothing before there is a collection. */
  const add = (action: (collection: string) => Promise<void>) =>
    attempt(store, async () => {
      await service;
      const collection = shownCollection(store.get());
      if (!collection) return;
      void requestPersistence();
      await action(collection.id);
    });

  const addFiles = async (files: readonly AddedFile[]) => {
    const [indexFiles, others] = [files.filter(isIndexFile), files.filter((file) => !isIndexFile(file))];
    if (others.length > 0) {
      void add(async (collection) => {
        const search = await service;
        const named = await namedFiles(search, collection, others);
        const parts: Promise<void>[] = [];
        for (let i = 0; i < named.length; i += filesAtOnce) {
          parts.push(search.addFiles(collection, named.slice(i, i + filesAtOnce)));
          await nextTurn();
        }
        await Promise.all(parts);
      });
    }
    for (const { file } of indexFiles) await importFile(store, service, file);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = textarea.value;
    if (text.trim() === "") return textarea.focus();
    textarea.value = "";
    void add(async (collection) => (await service).addText(collection, text));
  });
  for (const id of ["#files", "#folder-files"]) {
    const input = find(id, HTMLInputElement);
    input.addEventListener("change", () => {
      void addFiles(chosenFiles(input.files ?? []));
      input.value = "";
    });
  }
  acceptDrops(store, (dropped) => void attempt(store, async () => addFiles(await dropped)));
}

/** Files with names of their own. The visitor decides whether those with the name of a document replace it. */
async function namedFiles(search: Awaited<Search>, collection: string, files: readonly AddedFile[]): Promise<AddedFile[]> {
  const known = new Set((await search.documents(collection)).map(({ id }) => id));
  const equal = new Set(files.filter((file) => isSingle(file) && known.has(file.path)).map(({ path }) => path));
  const [first] = equal;
  if (first === undefined) return withDistinctNames(files, known);
  const title = equal.size === 1 ? `${first} is already here` : `${count(equal.size, "file")} are already here`;
  const text =
    equal.size === 1
      ? "Replace it if this is a newer version. Keep both if this is another file."
      : "Replace them if these are newer versions. Keep both if these are other files.";
  const replaces = (await askVisitor({ title, text, action: "Replace", refusal: "Keep both" })) !== null;
  return withDistinctNames(files, replaces ? [...known].filter((id) => !equal.has(id)) : known);
}

/** Imports an index file as a new collection, and shows it. */
export async function importFile(store: PageStore, service: Search, file: File): Promise<void> {
  await attempt(store, async () => {
    const search = await service;
    await showNewCollection(store, search, await search.importCollection(file.name.replace(/\.samevec$/i, ""), file));
  });
}

const isIndexFile = ({ path }: AddedFile): boolean => /\.samevec$/i.test(path);

/** Requests persistent storage. Only a page can; most browsers decide without asking the visitor. */
async function requestPersistence(): Promise<void> {
  if (!(await navigator.storage?.persisted?.())) await navigator.storage?.persist?.();
}

/** Accepts files dropped anywhere on the page: otherwise the browser would navigate to them. */
function acceptDrops(store: PageStore, onFiles: (files: Promise<AddedFile[]>) => void): void {
  const root = document.documentElement;
  const notice = find("#drop p", HTMLElement);
  const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
  root.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    write(notice, `Drop to add to ${shownCollection(store.get())?.name ?? "your documents"}`);
    root.classList.add("dropping");
  });
  root.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) root.classList.remove("dropping");
  });
  root.addEventListener("drop", (event) => {
    root.classList.remove("dropping");
    if (!(hasFiles(event) && event.dataTransfer)) return;
    event.preventDefault();
    onFiles(droppedFiles(event.dataTransfer));
  });
}
