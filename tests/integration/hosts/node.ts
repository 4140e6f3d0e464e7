/** `node node.js <folder>`: computes the folder's task and prints the results. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compute, type Task } from "./compute.ts";

const read = (name: string) => new Uint8Array(readFileSync(join(process.argv[2] ?? "", name)));
const task: Task = JSON.parse(new TextDecoder().decode(read("task.json")));
const modules = { plain: read("plain.wasm"), checked: read("checked.wasm"), relaxed: read("relaxed.wasm") };
process.stdout.write(JSON.stringify(await compute(task, modules, async (name) => read(name))));
