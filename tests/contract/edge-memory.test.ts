import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { bundleWorker, EdgeIsolate } from "./edge-isolate.ts";

/** Of the 128 MB of an isolate. */
const limit = 100e6;

/** Stands before the worker's own modules and counts: WASM memory, and buffers of files that nobody has let go of. */
const probe = `
const memories = [];
const buffers = [];
let peak = 0;

export function held() {
  const wasm = memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  const files = buffers.reduce((sum, reference) => sum + (reference.deref()?.byteLength ?? 0), 0);
  peak = Math.max(peak, wasm + files);
  return { wasm, files, peak };
}

const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (pages) {
  const before = grow.call(this, pages);
  held();
  return before;
};
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.push(this);
    held();
  }
};
const { arrayBuffer } = Response.prototype;
Response.prototype.arrayBuffer = async function () {
  const buffer = await arrayBuffer.call(this);
  buffers.push(new WeakRef(buffer));
  held();
  return buffer;
};
`;

const entry = `
import { held } from "./probe.js";
import worker from "./worker.js";

export default {
  fetch: (request, bindings, context) =>
    new URL(request.url).pathname === "/held" ? Response.json(held()) : worker.fetch(request, bindings, context),
};
`;

const heldSchema = z.object({ wasm: z.number(), files: z.number(), peak: z.number() });

let isolate: EdgeIsolate | undefined;
afterEach(() => isolate?.stop());

test("an isolate holds less than 100 MB while it loads, and over 100 texts of 1 to 512 tokens", { timeout: 300_000 }, async () => {
  const around = [
    { path: "entry.js", contents: entry },
    { path: "probe.js", contents: probe },
  ];
  const probed = await EdgeIsolate.start(await bundleWorker(), { around });
  isolate = probed;
  const held = async () => heldSchema.parse(await (await probed.send("/held")).json());
  const embed = async (words: number) => {
    const response = await probed.embed("word ".repeat(words));
    expect(response.status).toBe(200);
    return Number(response.headers.get("x-compute-tokens"));
  };

  await embed(1);
  const loaded = await held();
  // What the hooks see is what there is: the weights are in the WASM memory, and were in buffers on their way there.
  expect(loaded.wasm).toBeGreaterThan(33e6);
  expect(loaded.peak).toBeGreaterThan(loaded.wasm + 33e6);
  expect(loaded.files).toBeLessThan(2e6);

  const lengths = [];
  for (let i = 0; i < 100; i++) lengths.push(await embed(Math.round(510 ** (i / 99))));
  expect([lengths[0], lengths.at(-1)]).toEqual([3, 512]);
  const after = await held();
  expect(after.peak).toBeLessThan(limit);

  await embed(510);
  expect((await held()).wasm).toBe(after.wasm);
});
