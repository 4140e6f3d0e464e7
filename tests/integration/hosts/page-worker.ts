/** A page's worker: computes the task of the site that it came from and posts the results there. */
import { compute, type Task } from "./compute.ts";

async function fetchBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${response.status} for ${name}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function answer(): Promise<string> {
  const task = (await (await fetch("task.json")).json()) as Task;
  const modules = {
    plain: await fetchBytes("plain.wasm"),
    checked: await fetchBytes("checked.wasm"),
    relaxed: await fetchBytes("relaxed.wasm"),
  };
  return JSON.stringify(await compute(task, modules, fetchBytes));
}

await fetch("results", { method: "POST", body: await answer().catch((error: unknown) => `failed: ${error}`) });
