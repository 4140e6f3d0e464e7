import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Sources of the files that a page's encoder fetches, by name in the assets folder. Relative to `dist/api/cli`. */
const assets = { "models/bge-small-en-v1.5": "../../../models/bge-small-en-v1.5", runtimes: "../../web/runtimes" };

/** Only Node.js uses cpu.onnx. */
const isForPages = (path: string) => !path.endsWith("cpu.onnx");

/** Copies the model and the runtimes to a folder, creating it if needed and overwriting older files. Rejects with file system errors. */
export async function copyAssets(folder: string): Promise<void> {
  for (const [name, source] of Object.entries(assets)) {
    await cp(fileURLToPath(new URL(source, import.meta.url)), join(folder, name), { recursive: true, filter: isForPages });
  }
}
