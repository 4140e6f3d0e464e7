import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CachedEncoder } from "../../api/node/cache.ts";
import { deferred } from "../../shared/async.ts";
import type { EmbedOptions, Encoder } from "../../shared/encoder/encoder.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

for (const maxBytes of [0, 1_000_000]) {
  testEncoderConformance(`a cache of ${maxBytes} bytes over a pool`, () => {
    const fake = new FakeModel();
    const encoder = new CachedEncoder(createPool(fake), { maxBytes });
    return { encoder, sessionsCreated: () => fake.opened, sessionsPerLoad: 2 };
  });
}

async function createCache(maxBytes = 1_000_000) {
  const fake = new FakeModel();
  const pool = createPool(fake);
  await pool.load();
  const lookups = { hits: 0, joined: 0, misses: 0 };
  const onLookup = (seen: typeof lookups) => {
    for (const result of ["hits", "joined", "misses"] as const) lookups[result] += seen[result];
  };
  return { fake, pool, lookups, cache: new CachedEncoder(pool, { maxBytes, observer: { onLookup } }) };
}

/** Runs wait from now on until the function returned is called. */
function hold(fake: FakeModel): () => void {
  const held = deferred<void>();
  fake.onRun = () => held.promise;
  return () => {
    fake.onRun = () => {};
    held.resolve();
  };
}

describe("the embedding cache", () => {
  test("a cached embedding is reused for any dimensions and normalization", async () => {
    const { fake, pool, cache, lookups } = await createCache();
    await cache.embed(["a", "b", "a"]);
    const ways: EmbedOptions[] = [{}, { normalize: false }, { dimensions: 4 }, { dimensions: 3, normalize: false }];
    for (const way of ways) {
      const { vectors, tokens } = await cache.embed(["b", "a"], way);
      expect(tokens).toEqual([3, 3]);
      expect(vectors).toEqual((await pool.embed(["b", "a"], way)).vectors);
    }
    expect(fake.ran.slice(0, 2).sort()).toEqual(["a", "b"]);
    expect(fake.ran).toHaveLength(2 + 2 * ways.length); // the pool's own
    expect(lookups).toEqual({ hits: 2 * ways.length, joined: 1, misses: 2 });
  });

  test("the cache keeps one row per text, input type, truncation and model", async () => {
    const { fake, pool } = await createCache();
    let fingerprint = "a".repeat(64);
    const renamed: Encoder = {
      load: (options) => pool.load(options),
      embed: (texts, options) => pool.embed(texts, options),
      tokenize: (texts, options) => pool.tokenize(texts, options),
      info: () => ({ ...pool.info(), model: { ...FakeModel.model, fingerprint } }),
      dispose: () => pool.dispose(),
    };
    const cache = new CachedEncoder(renamed, { maxBytes: 1_000_000 });
    const long = "a text of more than sixteen tokens";
    const ways: EmbedOptions[] = [{}, { inputType: "query" }, { truncationDirection: "left" }];
    for (const way of ways) expect((await cache.embed(long, way)).vectors).toEqual((await pool.embed(long, way)).vectors);
    fake.ran.length = 0;
    for (const way of ways) await cache.embed(long, way);
    expect(fake.ran).toEqual([]);
    await expect(cache.embed(long, { truncate: false })).rejects.toMatchObject({ code: "text_too_long" });
    fingerprint = "b".repeat(64);
    await cache.embed(long);
    expect(fake.ran).toHaveLength(1);
  });

  test("the cache is limited in bytes and evicts the least recently used row first", async () => {
    const maxBytes = 1_500; // three rows
    const { fake, cache } = await createCache(maxBytes);
    for (const text of ["a", "b", "c"]) await cache.embed(text);
    await cache.embed("a");
    await cache.embed("d");
    expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
    fake.ran.length = 0;
    await cache.embed(["a", "c", "d"]);
    expect(fake.ran).toEqual([]);
    await cache.embed("b");
    expect(fake.ran).toEqual(["b"]);
    await cache.embed(Array.from({ length: 100 }, (_, i) => `text ${i}`));
    expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
    expect(cache.bytes).toBeGreaterThan(0);
  });

  test("a cache of 0 bytes stores nothing", async () => {
    const { fake, cache } = await createCache(0);
    await cache.embed("a");
    await cache.embed("a");
    expect(fake.ran).toEqual(["a", "a"]);
    expect(cache.bytes).toBe(0);
  });

  test("changing a returned vector does not change the cache or other callers' vectors", async () => {
    const { fake, cache } = await createCache();
    const release = hold(fake);
    const calls = [cache.embed("a"), cache.embed(["a", "a"])];
    release();
    const vectors = (await Promise.all(calls)).flatMap((one) => one.vectors);
    expect(new Set(vectors.map(({ buffer }) => buffer)).size).toBe(3);
    const before = vectors[0]?.slice();
    for (const vector of vectors) vector.fill(7);
    expect((await cache.embed("a")).vectors[0]).toEqual(before);
  });
});

describe("identical texts in flight", () => {
  test("identical texts in flight are computed once, even without a cache, and every call gets its vector", async () => {
    const { fake, cache, lookups } = await createCache(0);
    const release = hold(fake);
    const calls = [cache.embed(["a", "b", "a"]), cache.embed(["b", "c"]), cache.embed("a")];
    await expect.poll(() => lookups.joined + lookups.misses).toBe(6);
    release();
    const [first, second, third] = await Promise.all(calls);
    expect([...fake.ran].sort()).toEqual(["a", "b", "c"]);
    expect(second?.vectors[0]).toEqual(first?.vectors[1]);
    expect(third?.vectors[0]).toEqual(first?.vectors[2]);
    expect(lookups).toEqual({ hits: 0, joined: 3, misses: 3 });
  });

  test("aborting the first call for a text does not affect calls that joined it", async () => {
    const { fake, cache, lookups } = await createCache();
    const release = hold(fake);
    const controller = new AbortController();
    const gone = cache.embed(["a", "b"], { signal: controller.signal });
    const stays = cache.embed(["b", "a", "c"]);
    await expect.poll(() => lookups.joined).toBe(2);
    controller.abort();
    await expect(gone).rejects.toBe(controller.signal.reason);
    release();
    expect((await stays).vectors).toHaveLength(3);
  });

  test("aborting a call that joined a text in flight does not affect the first call", async () => {
    const { fake, cache, lookups } = await createCache();
    const release = hold(fake);
    const first = cache.embed("a");
    const controller = new AbortController();
    const gone = cache.embed("a", { signal: controller.signal });
    await expect.poll(() => lookups.joined).toBe(1);
    controller.abort();
    await expect(gone).rejects.toBe(controller.signal.reason);
    release();
    expect((await first).vectors).toHaveLength(1);
    expect(fake.ran).toEqual(["a"]);
  });

  test("a text is not rejected because another request with it was rejected", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { maxTokens: 40 });
    await pool.load();
    const release = hold(fake);
    const cache = new CachedEncoder(pool, { maxBytes: 0 });
    const texts = Array.from({ length: 6 }, (_, i) => `text ${i}`);
    const [running, refused, small] = [cache.embed(texts), cache.embed(texts.map((text) => `${text}!`)), cache.embed("text 0!")];
    await expect(refused).rejects.toMatchObject({ code: "overloaded" });
    release();
    expect((await small).vectors).toHaveLength(1);
    expect((await running).vectors).toHaveLength(6);
    expect(pool.info().pending).toEqual({ texts: 0, tokens: 0 });
  });
});

describe("errors of cached calls", () => {
  const long = "a text of more than sixteen tokens";

  test("a cached call's error contains the index in the caller's list", async () => {
    const { cache } = await createCache();
    await cache.embed("kept");
    const refused = cache.embed(["a", "kept", "a", long, long], { truncate: false });
    await expect(refused).rejects.toMatchObject({ code: "text_too_long", details: { index: 3 } });
  });

  test("an error of a joined text contains the index in the joining call's list", async () => {
    const { fake, pool, cache, lookups } = await createCache();
    const release = hold(fake);
    void pool.embed(["both workers", "have something to do"]);
    const first = cache.embed([long], { truncate: false });
    const second = cache.embed(["b", "c", long], { truncate: false });
    const told = Promise.all([
      expect(first).rejects.toMatchObject({ details: { index: 0 } }),
      expect(second).rejects.toMatchObject({ details: { index: 2 } }),
    ]);
    await expect.poll(() => lookups.joined).toBe(1);
    release();
    await told;
  });

  test("an error of one text does not fail calls that joined its neighbours", async () => {
    const { fake, cache, lookups } = await createCache();
    const held = deferred<void>();
    fake.onRun = async ([text]) => {
      await held.promise;
      if (text === "poison") throw new Error("it always fails");
    };
    const failing = cache.embed(["a", "b", "poison"]);
    const told = expect(failing).rejects.toMatchObject({ code: "inference_failed", details: { index: 2 } });
    const joined = cache.embed(["b", "a"]);
    await expect.poll(() => lookups.joined).toBe(2);
    held.resolve();
    await told;
    expect((await joined).vectors).toHaveLength(2);
    await expect(cache.embed("poison")).rejects.toMatchObject({ code: "quarantined_text", details: { index: 0 } });
  });
});

test("a cached encoder gives the same results as its underlying encoder, for any concurrent calls", async () => {
  const { pool, cache } = await createCache(2_000);
  const request = fc.record({
    texts: fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", "a text of more than sixteen tokens"), { maxLength: 6 }),
    options: fc.record({
      inputType: fc.constantFrom("passage", "query"),
      normalize: fc.boolean(),
      dimensions: fc.integer({ min: 1, max: 8 }),
      truncationDirection: fc.constantFrom("left", "right"),
    }),
    abort: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 6 }), async (requests) => {
      const calls = requests.map(({ texts, options, abort }) => {
        const controller = new AbortController();
        if (abort) setTimeout(() => controller.abort(), 1);
        return cache.embed(texts, { ...options, signal: controller.signal });
      });
      for (const [i, result] of (await Promise.allSettled(calls)).entries()) {
        const { texts = [], options, abort } = requests[i] ?? {};
        if (result.status === "rejected") expect(abort).toBe(true);
        else {
          const { time: _, ...expected } = await pool.embed(texts, options);
          expect(result.value).toMatchObject(expected);
        }
      }
      expect(cache.bytes).toBeLessThanOrEqual(2_000);
    }),
    { numRuns: 40 },
  );
});
