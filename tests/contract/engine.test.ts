import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { checkedFiles, type LoadFile } from "../../shared/encoder/bundled-model.ts";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { fingerprintOf, type Manifest, parseManifest } from "../../shared/encoder/manifest.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { openWasmModel } from "../../shared/encoder/wasm-model.ts";
import type { EngineModules } from "../../shared/engine/builds.ts";
import { cosineSimilarity, decodeVector } from "../../shared/vector.ts";
import { goldenBounds, goldenRows, shortTexts } from "../golden.ts";
import { bitsOf, buildBytes, withConstant } from "../unit/tiny-model.ts";

const model = new URL("../../models/bge-small-en-v1.5/", import.meta.url);
const manifest: Manifest = parseManifest(JSON.parse(readFileSync(new URL("manifest.json", model), "utf8")));
const read: LoadFile = async (name) => new Uint8Array(await readFile(new URL(name, model)));

const createEncoder = (modules: EngineModules, load: LoadFile = checkedFiles(manifest, read)): Encoder =>
  createSessionEncoder(openWasmModel({ manifest, load, modules }));

/** GELU's largest coefficient but one is another: what a probe of products does not see. */
const otherGelu = withConstant(buildBytes.plain, -1.60960333262415e-2, -1.6e-2);

async function expectKnownVectors(encoder: Encoder): Promise<void> {
  for (const inputType of ["passage", "query"] as const) {
    const rows = manifest.selfTest.texts.filter((row) => row.inputType === inputType);
    const { vectors } = await encoder.embed(
      rows.map(({ text }) => text),
      { inputType },
    );
    expect(vectors.map(bitsOf)).toEqual(rows.map(({ wasm }) => bitsOf(decodeVector(wasm))));
  }
}

describe("the bundled model on the engine", () => {
  test.each(["plain", "checked"] as const)("the engine computes the manifest's vectors bit for bit in the %s build", async (build) => {
    const encoder = createEncoder({ [build]: buildBytes[build] });
    expect((await encoder.load()).fingerprint).toBe(manifest.fingerprint);
    expect(encoder.info().device).toBe("wasm");
    await expectKnownVectors(encoder);
  });

  test("the bundled model's fingerprint matches its manifest", async () => {
    expect(await fingerprintOf(manifest)).toBe(manifest.fingerprint);
    const [first, ...others] = manifest.selfTest.texts;
    if (!first) return expect.fail("no self-test");
    const { wasm } = others[0] ?? first;
    for (const other of [
      { ...manifest, architecture: { ...manifest.architecture, layers: 6 } },
      { ...manifest, selfTest: { ...manifest.selfTest, texts: [{ ...first, wasm }, ...others] } },
      { ...manifest, weights: manifest.weights.slice(1) },
    ]) {
      expect(await fingerprintOf(other)).not.toBe(manifest.fingerprint);
    }
  });

  describe("the engine and the float32 reference", () => {
    let encoder: Encoder;
    beforeAll(() => {
      encoder = createEncoder({ plain: buildBytes.plain });
    });

    test("the engine's golden vectors have cosines to the float32 reference of at least 0.9990, and 0.9996 on average", async () => {
      const cosines: number[] = [];
      for (const { inputType, text, vector, tokens } of goldenRows) {
        const embedded = await encoder.embed(text, { inputType });
        expect(embedded.tokens).toEqual([tokens]);
        cosines.push(cosineSimilarity(embedded.vectors[0] ?? new Float32Array(), vector));
      }
      const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
      expect(Math.min(...cosines)).toBeGreaterThanOrEqual(Math.max(0.999, goldenBounds.worst));
      expect(mean).toBeGreaterThanOrEqual(Math.max(0.9996, goldenBounds.mean));
    });

    test("the engine gives texts that share runs the same bits as alone", async () => {
      const { vectors } = await encoder.embed(shortTexts);
      for (const [i, text] of shortTexts.entries()) {
        const alone = (await encoder.embed(text)).vectors[0] ?? expect.fail("no vector");
        expect(bitsOf(vectors[i] ?? new Float32Array()), text).toEqual(bitsOf(alone));
      }
    });
  });

  test("the bundled model falls back to another engine build when the first fails the self-test", async () => {
    const encoder = createEncoder({ plain: otherGelu, checked: buildBytes.plain });
    await encoder.load();
    await expectKnownVectors(encoder);
  });

  test("the bundled model is rejected when every engine build fails the self-test", async () => {
    const encoder = createEncoder({ plain: otherGelu, checked: otherGelu });
    await expect(encoder.load()).rejects.toMatchObject({ code: "self_test_failed", message: expect.stringContaining("wasm") });
    expect(encoder.info()).toMatchObject({ state: "failed", device: null });
  });

  test("the bundled model is rejected when one bit of a file is changed", async () => {
    const flipping: LoadFile = async (name) => {
      const bytes = await read(name);
      if (name === "weights-1.bin") bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return bytes;
    };
    const encoder = createEncoder({ plain: buildBytes.plain }, checkedFiles(manifest, flipping));
    await expect(encoder.load()).rejects.toMatchObject({ code: "integrity_failed", message: expect.stringContaining("weights-1.bin") });
  });

  test("the bundled model is rejected where WebAssembly SIMD is unavailable", async () => {
    const encoder = createEncoder({ plain: new TextEncoder().encode("no module") });
    await expect(encoder.load()).rejects.toMatchObject({ code: "device_unavailable" });
  });
});
