/** An isolate, which is handed the engine compiled: answers any request with the results. */
import checked from "../../../dist/engine/checked.wasm";
import plain from "../../../dist/engine/plain.wasm";
import relaxed from "../../../dist/engine/relaxed.wasm";
import { compute, type Task } from "./compute.ts";

interface Bindings {
  readonly FILES: { fetch(url: string): Promise<Response> };
}

export default {
  async fetch(_: unknown, { FILES }: Bindings): Promise<Response> {
    const fetchBytes = async (name: string) => new Uint8Array(await (await FILES.fetch(`https://files.invalid/${name}`)).arrayBuffer());
    const task: Task = JSON.parse(new TextDecoder().decode(await fetchBytes("task.json")));
    // All before the first run: while the isolate computes, its connections are closed as idle ones.
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const name of [task.manifest.devices.wasm.file, ...task.manifest.weights]) files.set(name, await fetchBytes(name));
    const load = async (name: string) => files.get(name) ?? new Uint8Array();
    return Response.json(await compute(task, { checked, plain, relaxed }, load));
  },
};
