import { describe, expect, test } from "vitest";
import { only, testEngineBuild } from "./engine-build-suite.ts";
import { bitsOf, filesOf, loadTiny, tinyFiles, tinyModel, tinyRows } from "./tiny-model.ts";

testEngineBuild("plain");
testEngineBuild("checked");

test("the order of texts in an engine run does not change their vectors", async () => {
  const engine = await loadTiny("plain");
  const texts = tinyRows.map(({ ids }) => ids);
  expect(engine.run(texts.toReversed()).map(bitsOf)).toEqual(tinyRows.map(({ cls }) => bitsOf(cls)).toReversed());
});

test("each vector of an engine run has its own buffer, which later runs do not change", async () => {
  const engine = await loadTiny("plain");
  const [first, second] = engine.run([tinyRows[3]?.ids ?? [], tinyRows[4]?.ids ?? []]);
  engine.run([[1, 2, 3], [4]]);
  expect(first?.buffer.byteLength).toBe(384 * 4);
  expect([first, second]).toEqual([tinyRows[3]?.cls, tinyRows[4]?.cls]);
});

test("the engine's memory does not hold the word embeddings and has one size for any vocabulary", async () => {
  const { memoryBytes } = await loadTiny("plain");
  const [vocabulary, more] = [20_000, 20_000 - 64];
  const model = { ...tinyModel(), architecture: { ...tinyModel().architecture, vocabulary } };
  const grown = (bytes: Uint8Array, by: number) => {
    const all = new Uint8Array(bytes.length + by);
    all.set(bytes);
    return all;
  };
  const large = await loadTiny(
    "plain",
    model,
    filesOf({
      ...tinyFiles,
      "engine.bin": grown(tinyFiles["engine.bin"], more * 4),
      "weights-1.bin": grown(tinyFiles["weights-1.bin"], more * 384),
    }),
  );
  expect(large.memoryBytes).toBe(memoryBytes);
  expect(large.run([[19_999], [5]])).toHaveLength(2);
  expect(bitsOf(only(large, tinyRows[2]?.ids ?? []))).toEqual(bitsOf(tinyRows[2]?.cls ?? new Float32Array()));
});

describe("invalid engine runs", () => {
  const token = [7];
  const notInVocabulary = { code: "invalid_request", message: expect.stringContaining("vocabulary of 64") };
  const refusals: [string, readonly (readonly number[])[], object][] = [
    ["a negative token", [token, [1, -1]], { ...notInVocabulary, details: { index: 1 } }],
    ["a token beyond the vocabulary", [[64]], { ...notInVocabulary, details: { index: 0 } }],
    ["a token of 2^32", [[2 ** 32]], notInVocabulary],
    ["a fractional token", [[1.5]], notInVocabulary],
    ["a NaN token", [[Number.NaN]], notInVocabulary],
    ["an infinite token", [[Number.POSITIVE_INFINITY]], notInVocabulary],
    ["a text without tokens", [token, token, []], { code: "empty_input", details: { index: 2 } }],
    [
      "a text of 513 tokens",
      [token, Array(513).fill(1)],
      { code: "text_too_long", message: expect.stringContaining("513"), details: { index: 1, limit: 512, found: 513 } },
    ],
    ["a run without texts", [], { code: "invalid_request", details: { limit: 32, found: 0 } }],
    ["a run of 33 texts", Array(33).fill(token), { code: "invalid_request", details: { limit: 32, found: 33 } }],
    ["a run of 513 tokens", [Array(512).fill(1), token], { code: "invalid_request", details: { limit: 512, found: 513 } }],
    ["32 texts of 512 tokens", Array(32).fill(Array(512).fill(1)), { code: "invalid_request", details: { limit: 512, found: 16_384 } }],
  ];

  test.each(refusals)("the engine rejects %s and computes correct vectors afterwards", async (_, texts, refusal) => {
    const engine = await loadTiny("plain", tinyModel("mean"));
    // Asked twice: nothing of the first refusal is left.
    for (let round = 0; round < 2; round++) {
      expect(() => engine.run(texts)).toThrow(expect.objectContaining({ name: "EncoderError", ...refusal }));
      expect(engine.run(tinyRows.map(({ ids }) => ids)).map(bitsOf)).toEqual(tinyRows.map(({ mean }) => bitsOf(mean)));
    }
  });
});
