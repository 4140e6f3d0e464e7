import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { bundleWorker, EdgeIsolate } from "./edge-isolate.ts";
import { readManifest } from "./model-copy.ts";

/** Of the 128 MB of an isolate. */
const limit = 60e6;

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

const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...args) => {
  const instance = await instantiate(...args);
  memories.push(instance.exports.memory);
  return instance;
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

test("an isolate uses less than 60 MB while loading and over 100 texts of 1 to 512 tokens", { timeout: 300_000 }, async () => {
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
  const { files } = await readManifest();
  const words = files["weights-1.bin"]?.bytes ?? Number.NaN;
  // What the hooks see is what there is: the weights of the layers are in the WASM memory, the words in the file's buffer, and the rest
  // was in buffers on its way there.
  expect(loaded.wasm).toBeGreaterThan(21e6);
  expect(loaded.peak).toBeGreaterThan(loaded.wasm + words);
  expect(loaded.peak).toBeLessThan(limit);

  const lengths = [];
  for (let i = 0; i < 100; i++) lengths.push(await embed(Math.round(510 ** (i / 99))));
  expect([lengths[0], lengths.at(-1)]).toEqual([3, 512]);
  const after = await held();
  expect(after.peak).toBe(loaded.peak);
  expect(after.wasm).toBe(loaded.wasm);
  expect(after.files).toBeLessThan(words + 2e6);
});
