import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Rotation } from "../../shared/index/rotation.ts";
import { createScan } from "../../shared/index/scan.ts";
import { type CodeGeometry, geometryOf, scanCodes, VectorCodec } from "../../shared/index/vector-codes.ts";
import { cosineSimilarity } from "../../shared/vector.ts";

const scan = await createScan(await WebAssembly.compile(await readFile(new URL("../../dist/engine/scan.wasm", import.meta.url))));

const vector = (dimensions: number) =>
  fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: dimensions, maxLength: dimensions }).map((components) => {
    const norm = Math.hypot(...components) || 1;
    return Float32Array.from(components, (component) => component / norm);
  });

const dimensionsOf = fc.constantFrom(32, 128, 300, 384, 768, 1024);

test("a rotation preserves lengths and angles", () => {
  fc.assert(
    fc.property(
      dimensionsOf.chain((dimensions) => fc.tuple(vector(dimensions), vector(dimensions))),
      ([a, b]) => {
        const rotation = new Rotation(a.length, 1);
        const product = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x).reduce((sum, each, i) => sum + each * (y[i] ?? 0), 0);
        const [x, y] = [rotation.apply(a), rotation.apply(b)];
        expect(product(x, y)).toBeCloseTo(product(a, b), 6);
        expect(product(x, x)).toBeCloseTo(product(a, a), 6);
      },
    ),
    { numRuns: 50 },
  );
});

test("a rotation spreads a single component over all components", () => {
  for (const dimensions of [128, 384, 768]) {
    const single = new Float32Array(dimensions);
    single[3] = 1;
    const rotated = new Rotation(dimensions, 1).apply(single);
    expect(Math.max(...rotated.map(Math.abs))).toBeLessThan(5 / Math.sqrt(dimensions));
  }
});

test("the WebAssembly scan gives the same integers as the JavaScript scan for any number of codes", () => {
  fc.assert(
    fc.property(dimensionsOf, fc.nat(5000), fc.integer(), (dimensions, count, seed) => {
      const codec = new VectorCodec(geometryOf(dimensions));
      const codes = new Uint8Array(count * codec.bytes);
      let state = seed >>> 0;
      for (let i = 0; i < codes.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        codes[i] = state >>> 24;
      }
      const query = codec.encodeQuery(Float32Array.from({ length: dimensions }, (_, i) => Math.sin(seed + i)));
      const [expected, found] = [new Int32Array(count), new Int32Array(count)];
      scanCodes(codes, codec.bytes, query.components, codec.geometry.levels, expected);
      scan(codes, codec.bytes, query.components, codec.geometry.levels, found);
      expect(found).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test("products of the largest components and levels are computed exactly", () => {
  for (const dimensions of [384, 1024, 4096]) {
    const codec = new VectorCodec(geometryOf(dimensions));
    const query = codec.encodeQuery(new Float32Array(dimensions).fill(1));
    const codes = new Uint8Array(codec.bytes).fill(255);
    const worst = new Int16Array(query.components.length).fill(Math.max(...query.components.map(Math.abs)));
    const [found, compiled] = [new Int32Array(1), new Int32Array(1)];
    scanCodes(codes, codec.bytes, worst, codec.geometry.levels, found);
    scan(codes, codec.bytes, worst, codec.geometry.levels, compiled);
    expect(found[0]).toBe((worst[0] ?? 0) * 127 * worst.length);
    expect(compiled).toEqual(found);
  }
});

test("a code estimates cosines within 0.03", () => {
  fc.assert(
    fc.property(fc.tuple(vector(384), vector(384)), ([a, b]) => {
      fc.pre(Math.hypot(...a) > 0.9 && Math.hypot(...b) > 0.9);
      expect(estimate(geometryOf(384), a, b)).toBeCloseTo(cosineSimilarity(a, b), 1);
      expect(Math.abs(estimate(geometryOf(384), a, a) - 1)).toBeLessThan(0.03);
    }),
    { numRuns: 100 },
  );
});

test("a zero vector has a cosine of 0 with every vector", () => {
  const [zero, one] = [new Float32Array(384), new Float32Array(384).fill(1 / Math.sqrt(384))];
  expect(estimate(geometryOf(384), zero, one)).toBeCloseTo(0, 9);
  expect(estimate(geometryOf(384), one, zero)).toBeCloseTo(0, 9);
});

function estimate(geometry: CodeGeometry, query: Float32Array, passage: Float32Array): number {
  const codec = new VectorCodec(geometry);
  const { code, scale } = codec.encode(passage);
  const { components, scale: queryScale } = codec.encodeQuery(query);
  const products = new Int32Array(1);
  scanCodes(code, codec.bytes, components, geometry.levels, products);
  return (products[0] ?? 0) * scale * queryScale;
}
