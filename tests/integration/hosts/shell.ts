/** `jsc -m shell.js -- <folder>`: computes the folder's task and prints the results. JavaScriptCore's shell has no web APIs. */
import { compute, type Task } from "./compute.ts";

interface Shell {
  readonly arguments: readonly string[];
  readFile(path: string, type: "binary"): Uint8Array<ArrayBuffer>;
  readFile(path: string): string;
  print(text: string): void;
  preciseTime(): number;
}

const shell = globalThis as unknown as Shell;
Object.assign(globalThis, { performance: { now: () => shell.preciseTime() * 1000 } });

const folder = shell.arguments[0] ?? "";
const read = (name: string) => shell.readFile(`${folder}/${name}`, "binary");
const task: Task = JSON.parse(shell.readFile(`${folder}/task.json`));
const modules = { plain: read("plain.wasm"), checked: read("checked.wasm"), relaxed: read("relaxed.wasm") };
shell.print(JSON.stringify(await compute(task, modules, async (name) => read(name))));
