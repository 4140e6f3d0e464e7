import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VectorIndex } from "../../shared/search/vector-index.ts";

const dimensions = 37;
const component = fc.float({ min: -1, max: 1, noNaN: true });
const vector = fc.array(component, { minLength: dimensions, maxLength: dimensions }).map((components) => Float32Array.from(components));
const key = fc.integer({ min: 0, max: 12 });
const change = fc.oneof(fc.record({ set: key, vector }), fc.record({ delete: key }));

const exactDot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

/** Vectors that are always the same, all in the neighbourhood of a few. */
function clustered(count: number): Float32Array[] {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const centers = Array.from({ length: 40 }, () => Float32Array.from({ length: 64 }, next));
  return Array.from({ length: count }, (_, i) => {
    const raw = Float32Array.from(centers[i % centers.length] ?? [], (x) => x + 1.5 * next());
    const norm = Math.sqrt(exactDot(raw, raw));
    return raw.map((x) => x / norm);
  });
}

describe("the vector index", () => {
  test("finds what sorting everything finds, through any sets and deletions", () => {
    const changes = fc.array(change, { maxLength: 40 });
    fc.assert(
      fc.property(changes, vector, fc.integer({ min: 0, max: 15 }), fc.func(fc.boolean()), (changes, query, limit, accept) => {
        const index = new VectorIndex<number>(dimensions);
        const model = new Map<number, Float32Array>();
        for (const change of changes) {
          if ("set" in change) {
            index.set(change.set, change.vector);
            model.set(change.set, change.vector);
          } else expect(index.delete(change.delete)).toBe(model.delete(change.delete));
        }
        expect(index.size).toBe(model.size);
        expect(new Set(index.keys())).toEqual(new Set(model.keys()));
        for (const [key, vector] of model) expect(index.get(key)).toEqual(vector);

        const accepted = new Map([...model].filter(([key]) => accept(key)));
        const found = index.search(query, limit, { accept });
        const scores = [...accepted.values()].map((vector) => exactDot(query, vector)).sort((a, b) => b - a);
        expect(new Set(found.map((match) => match.key)).size).toBe(Math.min(limit, accepted.size));
        for (const [place, match] of found.entries()) {
          expect(match.score).toBeCloseTo(scores[place] ?? Number.NaN, 5);
          expect(match.score).toBeCloseTo(exactDot(query, accepted.get(match.key) ?? new Float32Array(dimensions)), 5);
        }
      }),
    );
  });

  test("finds by codes nearly what it finds by comparing each vector in full, over many blocks and after deletions", () => {
    const vectors = clustered(10_000);
    const [exact, coded] = [Number.POSITIVE_INFINITY, 0].map((exactUpTo) => {
      const index = new VectorIndex<number>(64, { exactUpTo, candidateShare: 0.3 });
      for (const [key, vector] of vectors.entries()) index.set(key, vector);
      for (let key = 0; key < vectors.length; key += 7) index.delete(key);
      return index;
    }) as [VectorIndex<number>, VectorIndex<number>];
    let same = 0;
    const queries = vectors.filter((_, i) => i % 499 === 0);
    for (const query of queries) {
      const wanted = new Set(exact.search(query, 10).map(({ key }) => key));
      same += coded.search(query, 10).filter(({ key }) => wanted.has(key)).length;
      // What is accepted is found even where it is rare.
      const rare = (key: number) => key % 1000 === 1;
      expect(coded.search(query, 10, { accept: rare })).toEqual(exact.search(query, 10, { accept: rare }));
    }
    // These lie closer together than real ones: of what is found by chance alone, it would be 0.3.
    expect(same / (10 * queries.length)).toBeGreaterThanOrEqual(0.97);
  });

  test("keeps its own copy of a vector", () => {
    const index = new VectorIndex<string>(2);
    const vector = Float32Array.of(1, 0);
    index.set("a", vector);
    vector[0] = 0;
    expect(index.search(Float32Array.of(1, 0), 1)).toEqual([{ key: "a", score: 1 }]);
    expect(index.has("a")).toBe(true);
    expect(index.get("b")).toBeNull();
  });

  test("refuses vectors of another length", () => {
    const index = new VectorIndex<string>(2);
    expect(() => index.set("a", new Float32Array(3))).toThrow(RangeError);
    expect(() => index.search(new Float32Array(1), 1)).toThrow(RangeError);
    expect(() => new VectorIndex(0)).toThrow(RangeError);
    expect(index.size).toBe(0);
  });
});
