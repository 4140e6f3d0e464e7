import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VectorIndex } from "../../shared/search/vector-index.ts";

const dimensions = 5;
const component = fc.float({ min: -1, max: 1, noNaN: true });
const vector = fc.array(component, { minLength: dimensions, maxLength: dimensions }).map((components) => Float32Array.from(components));
const key = fc.integer({ min: 0, max: 12 });
const change = fc.oneof(fc.record({ set: key, vector }), fc.record({ delete: key }));

const exactDot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

describe("the vector index", () => {
  test("finds what sorting everything finds, through any sets and deletions", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), vector, fc.integer({ min: 0, max: 15 }), (changes, query, limit) => {
        const index = new VectorIndex<number>(dimensions, 1);
        const model = new Map<number, Float32Array>();
        for (const change of changes) {
          if ("set" in change) {
            index.set(change.set, change.vector);
            model.set(change.set, change.vector);
          } else expect(index.delete(change.delete)).toBe(model.delete(change.delete));
        }
        expect(index.size).toBe(model.size);
        expect(new Set(index.keys())).toEqual(new Set(model.keys()));

        const found = index.search(query, limit);
        const scores = [...model.values()].map((vector) => exactDot(query, vector)).sort((a, b) => b - a);
        expect(new Set(found.map((match) => match.key)).size).toBe(Math.min(limit, model.size));
        for (const [place, match] of found.entries()) {
          expect(match.score).toBeCloseTo(scores[place] ?? Number.NaN, 10);
          expect(match.score).toBeCloseTo(exactDot(query, model.get(match.key) ?? new Float32Array(dimensions)), 10);
        }
      }),
    );
  });

  test("keeps its own copy of a vector", () => {
    const index = new VectorIndex<string>(2);
    const vector = Float32Array.of(1, 0);
    index.set("a", vector);
    vector[0] = 0;
    expect(index.search(Float32Array.of(1, 0), 1)).toEqual([{ key: "a", score: 1 }]);
  });

  test("refuses vectors of another length", () => {
    const index = new VectorIndex<string>(2);
    expect(() => index.set("a", new Float32Array(3))).toThrow(RangeError);
    expect(() => index.search(new Float32Array(1), 1)).toThrow(RangeError);
    expect(() => new VectorIndex(0)).toThrow(RangeError);
    expect(index.size).toBe(0);
  });
});
