import type { AddedFile } from "../search/service.ts";

/**
 * The dropped files, with their paths in dropped folders, without hidden ones. Must be called during the drop event: the data is not
 * available later.
 */
export async function droppedFiles({ items, files }: DataTransfer): Promise<AddedFile[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  // Files dropped by a script have no file system entry.
  if (entries.length === 0) return [...files].map((file) => ({ path: file.name, file }));
  const found = await Promise.all(entries.map((entry) => filesIn(entry, "")));
  return found.flat();
}

/** The chosen files, with their paths in a chosen folder, without hidden ones. */
export function chosenFiles(files: Iterable<File>): AddedFile[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })).filter(({ path }) => !/(^|\/)\./.test(path));
}

async function filesIn(entry: FileSystemEntry, folder: string): Promise<AddedFile[]> {
  if (entry.name.startsWith(".")) return [];
  const path = folder + entry.name;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path, file }];
  }
  const found: AddedFile[] = [];
  for (const child of await childrenOf(entry as FileSystemDirectoryEntry)) found.push(...(await filesIn(child, `${path}/`)));
  return found;
}

/** A directory's entries come in batches, of a hundred in Chromium, and the last one is empty. */
async function childrenOf(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return children;
    children.push(...batch);
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
