import { afterEach, describe, expect, test, vi } from "vitest";
import { checkedFiles } from "../../shared/encoder/bundled-model.ts";
import type { Manifest } from "../../shared/encoder/manifest.ts";
import { instantiate } from "../../shared/engine/builds.ts";
import { loadEngine } from "../../shared/engine/engine.ts";
import type { EngineModel } from "../../shared/engine/model.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { bitsOf, buildBytes, type FilesByName, filesOf, loadTiny, tinyFiles, tinyModel, tinyRows } from "./tiny-model.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const { "engine.bin": parameters, "weights-0.bin": first, "weights-1.bin": last } = tinyFiles;

const refusal = (code: string, reason: string) =>
  expect.objectContaining({ name: "EncoderError", code, message: expect.stringContaining(reason) });

const grown = (bytes: Bytes, by: number): Bytes => {
  const all = new Uint8Array(bytes.length + by);
  all.set(bytes);
  return all;
};

/** engine.bin with another float at a place, counted from the end where it is negative. */
function withFloat(place: number, number: number): Bytes {
  const floats = new Float32Array(parameters.slice().buffer);
  floats[place < 0 ? floats.length + place : place] = number;
  return new Uint8Array(floats.buffer);
}

describe("damaged engine files", () => {
  test.each([
    ["empty", new Uint8Array(), "engine.bin has 0 bytes"],
    ["a float too short", parameters.slice(0, -4), `this model needs ${parameters.length}`],
    ["cut within a float", parameters.slice(0, -1), `this model needs ${parameters.length}`],
    ["a float too long", grown(parameters, 4), `engine.bin has ${parameters.length + 4} bytes`],
    ["the first number is NaN", withFloat(0, Number.NaN), "not finite"],
    ["the last number is NaN", withFloat(-1, Number.NaN), "not finite"],
    ["an infinite number", withFloat(5_000, Number.POSITIVE_INFINITY), "not finite"],
    ["a number of minus infinity", withFloat(-100, Number.NEGATIVE_INFINITY), "not finite"],
  ])("the engine rejects a damaged engine.bin: %s", async (_, bytes, reason) => {
    const files = filesOf({ ...tinyFiles, "engine.bin": bytes });
    await expect(loadTiny("plain", tinyModel(), files)).rejects.toEqual(refusal("integrity_failed", reason));
    expect(files.loaded).toEqual(["engine.bin"]);
  });

  const both = ["weights-0.bin", "weights-1.bin"];
  test.each<[string, FilesByName, readonly string[], string]>([
    ["a first shard that is empty", { "weights-0.bin": new Uint8Array() }, both, "weights-0.bin has 0 bytes of layer 0, query"],
    ["a first shard that is truncated", { "weights-0.bin": first.slice(0, -1) }, both, "bytes of layer 0, output"],
    [
      "a first shard that is truncated between two tensors",
      { "weights-0.bin": first.slice(0, 384 * 384) },
      both,
      "weights-1.bin has 73728 bytes of layer 1, value",
    ],
    ["a first shard with more than its layer", { "weights-0.bin": grown(first, 64) }, both, "weights-0.bin has 64 bytes of layer 1, query"],
    ["a last shard that is truncated", { "weights-1.bin": last.slice(0, -1) }, both, "bytes of words"],
    ["a last shard with more than the words", { "weights-1.bin": grown(last, 1) }, both, "weights-1.bin has 1 bytes more"],
    ["shards in another order", {}, both.toReversed(), "weights-1.bin has 73728 bytes of layer 1, key"],
    ["no shards", {}, [], "no weights for layer 0, query"],
    ["a shard too few", {}, ["weights-0.bin"], "no weights for layer 1, query"],
    ["a shard too many", {}, [...both, "weights-0.bin"], "does not need weights-0.bin"],
    ["an empty shard too many", { "none.bin": new Uint8Array() }, [...both, "none.bin"], "does not need none.bin"],
  ])("the engine rejects weights as damaged: %s", async (_, files, shards, reason) => {
    const loading = loadTiny("plain", tinyModel(), filesOf({ ...tinyFiles, ...files }, shards));
    await expect(loading).rejects.toEqual(refusal("integrity_failed", reason));
  });
});

describe("unsupported models", () => {
  const { architecture, maxTokens } = tinyModel();
  const absurd = [0, -1, 1.5, 1e9, Number.NaN, Number.POSITIVE_INFINITY];
  test.each<[string, Partial<EngineModel["architecture"]>, number, string]>([
    ["768 dimensions", { hidden: 768 }, maxTokens, "its hidden is 768, not 384"],
    ["6 heads", { heads: 6 }, maxTokens, "its heads is 6, not 12"],
    ["3072 intermediate columns", { intermediate: 3072 }, maxTokens, "its intermediate is 3072, not 1536"],
    ["256 positions", {}, 256, "256 positions, not 512"],
    ["8192 positions", {}, 8192, "8192 positions, not 512"],
    ...[...absurd, 49].map((layers): [string, object, number, string] => [`${layers} layers`, { layers }, maxTokens, `${layers} layers`]),
    ...[...absurd, 1_000_001].map((vocabulary): [string, object, number, string] => [
      `a vocabulary of ${vocabulary}`,
      { vocabulary },
      maxTokens,
      `${vocabulary} tokens in its vocabulary`,
    ]),
  ])("the engine rejects a model with %s before reading a file", async (_, part, positions, reason) => {
    const model = { ...tinyModel(), architecture: { ...architecture, ...part }, maxTokens: positions };
    const files = filesOf();
    await expect(loadTiny("plain", model, files)).rejects.toEqual(refusal("load_failed", reason));
    expect(files.loaded).toEqual([]);
  });
});

test("the engine accepts the layer counts 1 and 48 and rejects only the files", async () => {
  for (const layers of [1, 48]) {
    const model = { ...tinyModel(), architecture: { ...tinyModel().architecture, layers } };
    await expect(loadTiny("plain", model)).rejects.toEqual(refusal("integrity_failed", "engine.bin has"));
  }
});

describe("memory allocation", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("the load fails before reading a file when memory cannot be allocated", async () => {
    const module = await WebAssembly.compile(buildBytes.plain);
    const exports = { ...(await instantiate(module)), reserve: () => 0 };
    vi.spyOn(WebAssembly, "instantiate").mockResolvedValue({ exports });
    const files = filesOf();
    await expect(loadEngine(module, "plain", tinyModel(), files)).rejects.toEqual(refusal("load_failed", "memory"));
    expect(files.loaded).toEqual([]);
  });
});

test("a file that cannot be loaded fails the engine's load with its own error", async () => {
  const reason = new Error("offline");
  await expect(loadTiny("plain", tinyModel(), { ...filesOf(), load: () => Promise.reject(reason) })).rejects.toBe(reason);
});

test("the engine releases each file's bytes once, except the word embeddings, when it needs the next file", async () => {
  const events: string[] = [];
  const nameOf = new Map<Bytes, string>();
  const files = filesOf(Object.fromEntries(Object.entries(tinyFiles).map(([name, bytes]) => [name, bytes.slice()])));
  const engine = await loadTiny("plain", tinyModel(), {
    ...files,
    async load(name) {
      const bytes = await files.load(name);
      nameOf.set(bytes, name);
      events.push(`load ${name}`);
      return bytes;
    },
    release(bytes) {
      events.push(`release ${nameOf.get(bytes)}`);
      bytes.fill(0x55);
    },
  });
  expect(events).toEqual(["load engine.bin", "release engine.bin", "load weights-0.bin", "release weights-0.bin", "load weights-1.bin"]);
  for (const { ids, cls } of tinyRows) expect(engine.run([ids])[0]).toEqual(cls);
});

test("engine files may be views of larger buffers at any offset", async () => {
  const shifted = Object.fromEntries(
    Object.entries(tinyFiles).map(([name, bytes], i) => {
      const view = new Uint8Array(new ArrayBuffer(bytes.length + 8), i + 1, bytes.length);
      view.set(bytes);
      return [name, view];
    }),
  );
  const engine = await loadTiny("plain", tinyModel(), filesOf(shifted));
  for (const { ids, cls } of tinyRows) expect(bitsOf(engine.run([ids])[0] ?? new Float32Array())).toEqual(bitsOf(cls));
});

describe("manifest checks of engine files", () => {
  /** The part of a manifest that is read. */
  async function manifestOf(files: FilesByName): Promise<Manifest> {
    const digests: Manifest["files"] = {};
    for (const [name, bytes] of Object.entries(files)) digests[name] = { bytes: bytes.length, sha256: await sha256Hex(bytes) };
    return { id: "tiny", files: digests } as Manifest;
  }

  /** One bit of one weight is another. */
  const flipped = (bytes: Bytes): Bytes => {
    const other = bytes.slice();
    other[1_000] = (other[1_000] ?? 0) ^ 1;
    return other;
  };

  test.each(["engine.bin", "weights-0.bin", "weights-1.bin"] as const)(
    "a file with one changed bit is rejected before any of its bytes are written: %s",
    async (name) => {
      const manifest = await manifestOf(tinyFiles);
      const files = filesOf({ ...tinyFiles, [name]: flipped(tinyFiles[name]) });
      const release = vi.fn();
      const loading = loadTiny("plain", tinyModel(), { ...files, load: checkedFiles(manifest, files.load), release });
      await expect(loading).rejects.toEqual(refusal("integrity_failed", `The SHA-256 of ${name} differs`));
      // Nothing behind it was asked for, and it was not taken for read.
      expect(files.loaded.at(-1)).toBe(name);
      expect(release).toHaveBeenCalledTimes(files.loaded.length - 1);
    },
  );

  test("the engine loads files that match the manifest", async () => {
    const manifest = await manifestOf(tinyFiles);
    const files = filesOf();
    const engine = await loadTiny("plain", tinyModel(), { ...files, load: checkedFiles(manifest, files.load) });
    expect(engine.run([tinyRows[0]?.ids ?? []])[0]).toEqual(tinyRows[0]?.cls);
  });

  test("files that are truncated or missing from the manifest are rejected", async () => {
    const manifest = await manifestOf({ "engine.bin": parameters });
    const load = checkedFiles(manifest, filesOf({ ...tinyFiles, "engine.bin": parameters.slice(0, -4) }).load);
    await expect(load("engine.bin")).rejects.toEqual(refusal("integrity_failed", "incomplete or a different file"));
    await expect(load("weights-0.bin")).rejects.toEqual(refusal("integrity_failed", "not a file of the model tiny"));
  });
});
