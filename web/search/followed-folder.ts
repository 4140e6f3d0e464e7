import type { FileStamp, FollowedFolder } from "./collection-store.ts";
import type { AddedFile, ConnectedFolder } from "./service.ts";

/** The changes in a folder since it was last read. */
export interface FolderChanges {
  /** New and changed files. */
  readonly changed: readonly AddedFile[];
  /** Paths of removed files. */
  readonly gone: readonly string[];
  readonly files: FollowedFolder["files"];
}

/** Compares a folder with its last state, without hidden files. Rejects when it cannot be read. */
export async function changesIn({ handle, files: before }: FollowedFolder): Promise<FolderChanges> {
  const files: Record<string, FileStamp> = {};
  const changed: AddedFile[] = [];
  for await (const { path, file } of filesIn(handle, `${handle.name}/`)) {
    const known = before[path];
    files[path] = { size: file.size, modified: file.lastModified };
    if (known?.size !== file.size || known.modified !== file.lastModified) changed.push({ path, file });
  }
  return { changed, gone: Object.keys(before).filter((path) => !(path in files)), files };
}

/** Whether the folder can be read without a permission prompt. */
export async function accessTo(handle: FileSystemDirectoryHandle): Promise<ConnectedFolder["access"]> {
  return (await handle.queryPermission({ mode: "read" })) === "granted" ? "granted" : "asks";
}

async function* filesIn(folder: FileSystemDirectoryHandle, path: string): AsyncIterable<AddedFile> {
  for await (const [name, entry] of folder.entries()) {
    if (name.startsWith(".")) continue;
    if (entry.kind === "directory") yield* filesIn(entry, `${path}${name}/`);
    else yield { path: path + name, file: await entry.getFile() };
  }
}
