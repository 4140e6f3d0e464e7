import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a page's encoder fetches, by the name that it has in the assets' folder; seen from `dist/api/cli`. */
const assets = { "models/bge-small-en-v1.5": "../../../models/bge-small-en-v1.5", runtimes: "../../web/runtimes" };

/** cpu.onnx is native Node's alone. */
const isOfPages = (path: string) => !path.endsWith("cpu.onnx");

/** Copies the model and the runtime into a folder, which is made if need be. Files of an earlier version are replaced. */
export async function copyAssets(folder: string): Promise<void> {
  for (const [name, source] of Object.entries(assets)) {
    await cp(fileURLToPath(new URL(source, import.meta.url)), join(folder, name), { recursive: true, filter: isOfPages });
  }
}
