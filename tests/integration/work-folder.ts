import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { filesOf } from "../../shared/encoder/manifest.ts";
import { engineDirectory, modelDirectory } from "../contract/model-copy.ts";
import type { Task } from "./hosts/compute.ts";

const entries = ["node", "page-worker", "isolate", "shell"] as const;
const page = '<!doctype html><title>Bits</title><script>new Worker("page-worker.js", { type: "module" })</script>';

/** A folder with all that a host needs: task, model, engine, and the script of each host in one file. */
export class WorkFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(task: Task): Promise<WorkFolder> {
    const path = await mkdtemp(join(tmpdir(), "samevec-bits-"));
    await writeFile(join(path, "task.json"), JSON.stringify(task));
    await writeFile(join(path, "index.html"), page);
    for (const name of filesOf(task.manifest, "wasm")) await symlink(join(modelDirectory, name), join(path, name));
    for (const name of ["plain", "checked", "relaxed"]) await copyFile(join(engineDirectory, `${name}.wasm`), join(path, `${name}.wasm`));
    for (const entry of entries) await bundle(entry, path);
    return new WorkFolder(path);
  }

  read(name: string): Promise<Buffer<ArrayBuffer>> {
    return readFile(join(this.path, name));
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true });
  }
}

async function bundle(entry: (typeof entries)[number], outDir: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: false,
      copyPublicDir: false,
      target: "es2022",
      minify: false,
      lib: { entry: fileURLToPath(new URL(`hosts/${entry}.ts`, import.meta.url)), formats: ["es"], fileName: () => `${entry}.js` },
      // The isolate is handed modules by their names.
      rolldownOptions: { external: [/^node:/, /\.wasm$/], output: { paths: (id) => (id.endsWith(".wasm") ? `./${basename(id)}` : id) } },
    },
  });
}
