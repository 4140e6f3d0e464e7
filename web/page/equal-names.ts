import type { AddedFile } from "../search/service.ts";

/** Whether a file was added by itself. The path of a file in a folder says which one it is. */
export const isSingle = ({ path }: Pick<AddedFile, "path">): boolean => !path.includes("/");

/**
 * Gives single files whose name is taken another one, as browsers do for downloads: "notes (1).md".
 * @param taken paths that belong to other files
 */
export function withDistinctNames(files: readonly AddedFile[], taken: Iterable<string>): AddedFile[] {
  const used = new Set(taken);
  return files.map((added) => {
    const path = isSingle(added) ? freeName(added.path, used) : added.path;
    used.add(path);
    return { ...added, path };
  });
}

function freeName(name: string, used: ReadonlySet<string>): string {
  const [, stem = name, extension = ""] = /^(.+?)(\.[^.]*)?$/.exec(name) ?? [];
  let free = name;
  for (let number = 1; used.has(free); number++) free = `${stem} (${number})${extension}`;
  return free;
}
