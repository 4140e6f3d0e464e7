import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The built package in a folder of its own, beside its dependencies without some of them. */
export class InstalledCopy {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param missing packages that were not installed */
  static async create(missing: readonly string[]): Promise<InstalledCopy> {
    const folder = await mkdtemp(join(tmpdir(), "samevec-installed-"));
    for (const part of ["api", "shared", "engine"]) await cp(join(root, "dist", part), join(folder, "dist", part), { recursive: true });
    await cp(join(root, "package.json"), join(folder, "package.json"));
    await symlink(join(root, "models"), join(folder, "models"));
    await mkdir(join(folder, "node_modules"));
    for (const name of await readdir(join(root, "node_modules"))) {
      if (!missing.includes(name)) await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    return new InstalledCopy(folder);
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}
