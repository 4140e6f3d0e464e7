import type { FileStamp, FollowedFolder } from "./collection-store.ts";
import type { AddedFile, ConnectedFolder } from "./service.ts";

/** What has changed in a folder since it was read. */
export interface FolderChanges {
  /** Files that are new or have changed. */
  readonly changed: readonly AddedFile[];
  /** Paths of those that are gone. */
  readonly gone: readonly string[];
  readonly files: FollowedFolder["files"];
}

/** Compares a folder with how it was. What begins with a dot is left out. Rejects when it may not be read, or is gone. */
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

/** Whether a folder may be read without asking the visitor. */
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
