import fc from "fast-check";
import { expect, test } from "vitest";
import { parseQuery } from "../../shared/index/query.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import { geometryOf, scanCodes, VectorCodec } from "../../shared/index/vector-codes.ts";

const dimensions = 48;
const codec = new VectorCodec(geometryOf(dimensions));

const vector = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: dimensions, maxLength: dimensions }).map((components) => {
  const norm = Math.hypot(...components) || 1;
  return Float32Array.from(components, (component) => component / norm);
});

const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
const key = fc.constantFrom(...keys);
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: key }) },
  { weight: 4, arbitrary: fc.record({ embed: key, vector }) },
  { weight: 2, arbitrary: fc.record({ remove: key }) },
  { weight: 1, arbitrary: fc.constant("merge" as const) },
);

const hashOf = (id: string) => Buffer.from(id.padEnd(32, ".")).toString("hex");

const documentOf = (id: string, passages = 1, source = id) => ({
  ...{ id, title: "", text: "text".repeat(passages) },
  passages: Array.from({ length: passages }, (_, i) => ({
    start: 4 * i,
    end: 4 * i + 4,
    headings: [],
    hash: hashOf(source),
    readable: true,
  })),
});

/** Keeps all passages that have a vector: without relevances, none is left out. */
const all = { mode: "semantic", limit: 20 } as const;

const query = parseQuery("anything");

function estimate(wanted: Float32Array, stored: Float32Array): number {
  const { components, scale: wantedScale } = codec.encodeQuery(wanted);
  const { code, scale } = codec.encode(stored);
  const products = new Int32Array(1);
  scanCodes(code, codec.bytes, components, codec.geometry.levels, products);
  return scale === 0 ? Number.NaN : (products[0] ?? 0) * (scale * wantedScale);
}

test("after any changes, semantic search finds what sorting all vectors by cosine finds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 30 }),
      vector,
      fc.nat(10),
      fc.subarray(keys),
      async (changes, wanted, limit, accepted) => {
        const index = new SearchIndex();
        /** Text and vector of each document in the index; the vector is null before it is set. */
        const model = new Map<string, { readonly source: string; readonly vector: Float32Array | null }>();
        for (const [i, each] of changes.entries()) {
          if (each === "merge") await index.merge();
          else if ("put" in each) {
            // A document that is put again takes over the vector of the same text. A new one has a text of its own.
            const entry = model.get(each.put) ?? { source: `${each.put} ${i}`, vector: null };
            await index.put([documentOf(each.put, 1, entry.source)]);
            model.set(each.put, entry);
          } else if ("embed" in each) {
            const entry = model.get(each.embed) ?? { source: each.embed };
            index.setVector(hashOf(entry.source), each.vector);
            if (model.has(each.embed)) model.set(each.embed, { ...entry, vector: each.vector });
          } else {
            index.remove([each.remove]);
            model.delete(each.remove);
          }
        }
        // Before the first vector, the search is by keyword.
        fc.pre(index.geometry !== null);
        const expected = [...model]
          .flatMap(([id, { vector }]) => (vector && accepted.includes(id) ? [{ id, cosine: estimate(wanted, vector) }] : []))
          .filter(({ cosine }) => !Number.isNaN(cosine))
          .sort((a, b) => b.cosine - a.cosine || (a.id < b.id ? -1 : 1))
          .slice(0, limit);
        const found = index.search(query, wanted, { ...all, limit, ids: (id) => accepted.includes(id) });
        expect(found.map(({ id, cosine }) => ({ id, cosine }))).toEqual(
          expected.map(({ id, cosine }) => ({ id, cosine: expect.closeTo(cosine, 6) })),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("a vector applies to all passages with its hash, including those of later documents", async () => {
  const index = new SearchIndex();
  const [first, second] = [documentOf("k1", 2), { ...documentOf("k1"), id: "k2" }];
  await index.put([first]);
  index.setVector(hashOf("k1"), new Float32Array(dimensions).with(0, 1));
  await index.put([second]);
  const found = index.search(query, new Float32Array(dimensions).with(0, 1), all);
  expect(found.map(({ id, passage: { start } }) => [id, start])).toEqual([
    ["k1", 0],
    ["k1", 4],
    ["k2", 0],
  ]);
  expect(index.cosinesIn("k1", new Float32Array(dimensions).with(0, 1))).toEqual([expect.closeTo(1, 2), expect.closeTo(1, 2)]);
  expect(index.cosinesIn("unknown", new Float32Array(dimensions))).toBeNull();
});

test("an index keeps its own copy of a vector", async () => {
  const index = new SearchIndex();
  await index.put([documentOf("k1")]);
  const changed = new Float32Array(dimensions).with(0, 1);
  index.setVector(hashOf("k1"), changed);
  changed.fill(0);
  expect(index.search(query, new Float32Array(dimensions).with(0, 1), all)).toMatchObject([{ id: "k1", cosine: expect.closeTo(1, 2) }]);
});

test("vectors of a different length than the first are rejected", async () => {
  const index = new SearchIndex();
  await index.put([documentOf("k1")]);
  index.setVector(hashOf("k1"), new Float32Array(dimensions).with(0, 1));
  expect(() => index.setVector(hashOf("k1"), new Float32Array(dimensions + 1))).toThrow(RangeError);
  expect(() => index.search(query, new Float32Array(1), all)).toThrow(RangeError);
  expect(index.search(query, new Float32Array(dimensions).with(0, 1), all)).toHaveLength(1);
});

test("after all vectors are dropped, passages are found by keyword, and new vectors may have another length", async () => {
  const index = new SearchIndex();
  await index.put([documentOf("k1")]);
  index.setVector(hashOf("k1"), new Float32Array(dimensions).with(0, 1));
  index.clearVectors();
  expect(index.geometry).toBeNull();
  expect(index.search(query, new Float32Array(dimensions).with(0, 1), all)).toEqual([]);
  expect(index.search(parseQuery("text"), new Float32Array(dimensions).with(0, 1), all)).toMatchObject([{ id: "k1", cosine: null }]);
  index.setVector(hashOf("k1"), new Float32Array(32).with(0, 1));
  expect(index.search(query, new Float32Array(32).with(0, 1), all)).toHaveLength(1);
});
