import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { EngineBuild, EngineExports } from "../../shared/engine/builds.ts";
import { type Engine, runLimits } from "../../shared/engine/engine.ts";
import { bitsOf, generator, loadTiny, poolings, tinyModel, tinyRows } from "./tiny-model.ts";

/** Token ids of texts of these lengths: as many of them as a run takes. */
function textsOf(lengths: readonly number[], seed: number): number[][] {
  const next = generator(seed);
  let tokens = 0;
  const fitting = lengths.filter((length) => {
    const fits = tokens + length <= runLimits.tokens;
    if (fits) tokens += length;
    return fits;
  });
  return fitting.slice(0, runLimits.texts).map((length) => Array.from({ length }, () => next() >>> 26));
}

export const only = (engine: Engine, ids: readonly number[]) => engine.run([ids])[0] ?? expect.fail("no vector");

/** What every build of the engine promises, on a host that validates it. */
export function testEngineBuild(build: EngineBuild): void {
  for (const pooling of poolings) {
    describe(`the ${build} build with ${pooling} pooling`, () => {
      const load = () => loadTiny(build, tinyModel(pooling));

      test("gives the reference's vectors to the bit, one by one and all in a run", async () => {
        const engine = await load();
        const together = engine.run(tinyRows.map(({ ids }) => ids));
        expect(together).toHaveLength(tinyRows.length);
        for (const [i, row] of tinyRows.entries()) {
          expect(bitsOf(only(engine, row.ids)), `row ${i} alone`).toEqual(bitsOf(row[pooling]));
          expect(bitsOf(together[i] ?? new Float32Array()), `row ${i} of the run`).toEqual(bitsOf(row[pooling]));
        }
      });

      test("gives each text of any run the bits that it has alone, which are those of the plain build", async () => {
        const engine = await load();
        const plain = await loadTiny("plain", tinyModel(pooling));
        const length = fc.oneof(
          { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 8 },
          { arbitrary: fc.integer({ min: 1, max: 160 }), weight: 4 },
          { arbitrary: fc.constant(512), weight: 1 },
        );
        fc.assert(
          fc.property(fc.array(length, { minLength: 1, maxLength: 40 }), fc.nat(), (lengths, seed) => {
            const texts = textsOf(lengths, seed);
            expect(engine.run(texts).map(bitsOf)).toEqual(texts.map((ids) => bitsOf(only(plain, ids))));
          }),
          { numRuns: 8 },
        );
      }, 20_000);
    });
  }

  describe(`the memory of the ${build} build`, () => {
    afterEach(() => {
      vi.restoreAllMocks();
    });

    test("is what the engine says, and does not change over the largest runs", async () => {
      const instantiate = vi.spyOn(WebAssembly, "instantiate");
      const engine = await loadTiny(build, tinyModel("mean"));
      const instance: { readonly exports: object } = await instantiate.mock.results.at(-1)?.value;
      const { memory } = instance.exports as EngineExports;
      const { buffer } = memory;
      expect(buffer.byteLength).toBe(engine.memoryBytes);
      for (const lengths of [[512], Array(32).fill(16), Array(31).fill(1).concat(481), [511, 1], Array(32).fill(1), [512]]) {
        engine.run(textsOf(lengths, 1));
      }
      expect(memory.buffer).toBe(buffer);
      expect(buffer.byteLength).toBe(engine.memoryBytes);
    });
  });
}
