import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { deferred } from "../../shared/async.ts";
import type { EmbedOptions } from "../../shared/encoder/encoder.ts";
import type { PoolOptions } from "../../shared/encoder/pool.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

const nothing = { texts: 0, tokens: 0 };

/** A loaded pool whose runs are held until they are released. */
async function createHeldPool(options: Partial<PoolOptions<null>> = {}) {
  const fake = new FakeModel();
  const pool = createPool(fake, { size: 1, ...options });
  await pool.load();
  const held = deferred<void>();
  fake.onRun = () => held.promise;
  return { fake, pool, release: () => held.resolve() };
}

/** A request of texts of ten estimated tokens each. */
const tens = (count: number) => Array<string>(count).fill("a b c d e f g h");

test("the pool rejects a request over its limit before computing any of it, and admits it when others are done", async () => {
  const { fake, pool, release } = await createHeldPool({ maxTokens: 100 });
  const admitted = pool.embed(tens(8));
  expect(pool.info().pending).toEqual({ texts: 8, tokens: 80 });
  await expect(pool.embed(tens(3))).rejects.toMatchObject({
    code: "overloaded",
    status: 429,
    details: { limit: 100, found: 80, retryAfter: 1 },
  });
  await expect(pool.tokenize(tens(3))).rejects.toMatchObject({ code: "overloaded" });
  expect(pool.info().pending).toEqual({ texts: 8, tokens: 80 });
  release();
  await admitted;
  expect(pool.info().pending).toEqual(nothing);
  expect((await pool.embed(tens(3))).vectors).toHaveLength(3);
  expect(fake.ran).toHaveLength(11);
});

test("the pool rejects a request over its limit at once, even while it computes", async () => {
  const { pool } = await createHeldPool({ maxTokens: 100 });
  void pool.embed(tens(10)).catch(() => {});
  const settled = await Promise.race([pool.embed("a query").catch(({ code }) => code), new Promise((resolve) => setTimeout(resolve, 50))]);
  expect(settled).toBe("overloaded");
});

test("the pool admits a first request of any size before the model is loaded", async () => {
  const pool = createPool(new FakeModel(), { maxTokens: 10, maxWait: 1 });
  expect((await pool.embed(tens(50))).vectors).toHaveLength(50);
});

test("the model's load time does not count for the pool's rate", async () => {
  const fake = new FakeModel();
  const loaded = deferred<null>();
  const pool = createPool(fake, { size: 1, maxWait: 1_000, prepare: () => loaded.promise });
  vi.useFakeTimers({ toFake: ["performance"] });
  try {
    const first = pool.embed(tens(100));
    vi.advanceTimersByTime(100_000);
    loaded.resolve(null);
    await expect.poll(() => fake.ran.length).toBeGreaterThan(10);
    await expect(pool.embed(tens(1_000))).rejects.toMatchObject({ details: { limit: 2_000 } });
    await first;
  } finally {
    vi.useRealTimers();
  }
});

test("a text counts in the pool with at most the model's token limit", async () => {
  const { pool } = await createHeldPool();
  void pool.embed("x".repeat(10_000)).catch(() => {});
  expect(pool.info().pending).toEqual({ texts: 1, tokens: FakeModel.model.maxTokens });
});

test("each computed text frees its place in the pool at once", async () => {
  const fake = new FakeModel();
  const pool = createPool(fake, { size: 1 });
  await pool.load();
  const pending: number[] = [];
  fake.onRun = () => void pending.push(pool.info().pending.texts);
  await pool.embed(tens(4));
  expect(pending).toEqual([4, 3, 2, 1]);
});

test("an aborted call frees its place in the pool at once, including its text in a run", async () => {
  const { pool } = await createHeldPool({ maxTokens: 100 });
  const controller = new AbortController();
  const call = pool.embed(tens(10), { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  expect(pool.info().pending).toEqual(nothing);
  await expect(call).rejects.toThrow("no longer wanted");
});

test("disposal and a failed load free the place of pending texts", async () => {
  const fake = new FakeModel();
  const pool = createPool(fake, { size: 1 });
  const waiting = pool.embed(tens(10));
  const disposed = expect(waiting).rejects.toMatchObject({ code: "disposed" });
  await pool.dispose();
  await disposed;
  expect(pool.info().pending).toEqual(nothing);
  fake.loadFailures.push(new Error("the disk is gone"));
  await expect(pool.embed(tens(10))).rejects.toMatchObject({ code: "load_failed" });
  expect(pool.info().pending).toEqual(nothing);
});

test("for any outcome of requests, the pool keeps its limit and no text stays pending", async () => {
  const fake = new FakeModel({ texts: 4, tokens: 64 });
  fake.onRun = async (texts) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (texts.includes("poison")) throw new Error("it always fails");
  };
  const maxTokens = 60;
  const pool = createPool(fake, { maxTokens });
  await pool.load();
  const request = fc.record({
    texts: fc.array(fc.constantFrom("a", "b c", "a longer text of many tokens", "poison"), { maxLength: 8 }),
    call: fc.constantFrom("embed", "tokenize"),
    abortAfter: fc.option(fc.integer({ min: 0, max: 3 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 8 }), async (requests) => {
      const calls = requests.map(({ texts, call, abortAfter }) => {
        const controller = new AbortController();
        if (abortAfter !== null) setTimeout(() => controller.abort(), abortAfter);
        const before = pool.info().pending;
        const result = pool[call](texts, { signal: controller.signal });
        if (before.texts > 0) expect(pool.info().pending.tokens).toBeLessThanOrEqual(maxTokens);
        return result;
      });
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === "fulfilled" || result.reason instanceof DOMException) continue;
        expect(["overloaded", "inference_failed", "quarantined_text"]).toContain(result.reason.code);
      }
      expect(pool.info().pending).toEqual(nothing);
    }),
    { numRuns: 40 },
  );
});

/** A pool that has learned that a text fails. */
async function createPoolWithPoison() {
  const fake = new FakeModel();
  const tried: string[] = [];
  fake.onRun = ([text = ""]) => {
    tried.push(text);
    if (text.endsWith("poison")) throw new Error("it always fails");
  };
  const pool = createPool(fake, { size: 1 });
  await expect(pool.embed("poison")).rejects.toMatchObject({ code: "inference_failed", status: 424, details: { index: 0 } });
  return { fake, pool, tried };
}

test("a text that has failed twice is rejected at once with quarantined_text and ends no more workers", async () => {
  const { fake, pool, tried } = await createPoolWithPoison();
  expect(tried).toEqual(["poison", "poison"]);
  const refused = expect.objectContaining({ code: "quarantined_text", status: 422, retryable: false, details: { index: 1 } });
  for (const options of [{}, { inputType: "query" }] satisfies EmbedOptions[]) {
    await expect(pool.embed(["fine", "poison"], options)).rejects.toEqual(refused);
  }
  await expect(pool.tokenize(["fine", "poison"])).rejects.toEqual(refused);
  expect(tried).toHaveLength(2);
  expect(fake.workers).toHaveLength(3);
  expect(pool.info().pending).toEqual(nothing);
});

test("other texts are computed while a text is quarantined", async () => {
  const { pool } = await createPoolWithPoison();
  expect((await pool.embed(["poison ivy", "fine"])).vectors).toHaveLength(2);
});

test("the error of a quarantined text does not contain the text", async () => {
  const { pool } = await createPoolWithPoison();
  await expect(pool.embed("poison")).rejects.toMatchObject({ message: expect.not.stringContaining("poison") });
});

test("a call aborted or disposed while its texts are checked against the quarantine is never queued", async () => {
  const { pool, tried } = await createPoolWithPoison();
  const controller = new AbortController();
  const aborted = pool.embed("aborted", { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  await expect(aborted).rejects.toThrow("no longer wanted");
  const disposed = pool.embed("disposed");
  const rejected = expect(disposed).rejects.toMatchObject({ code: "disposed" });
  await pool.dispose();
  await rejected;
  expect(tried).toHaveLength(2);
  expect(pool.info().state).toBe("idle");
});

test("texts rejected for their caller's options are not quarantined", async () => {
  const pool = createPool(new FakeModel(), { size: 1 });
  const long = "x".repeat(100);
  for (let i = 0; i < 3; i++) {
    await expect(pool.embed(long, { truncate: false })).rejects.toMatchObject({ code: "text_too_long", details: { index: 0 } });
  }
  expect((await pool.embed(long)).vectors).toHaveLength(1);
});

test("tokenizing more than maxTokens tokens is rejected, for a single text and in total", async () => {
  const pool = createPool(new FakeModel({ texts: 4, tokens: 64 }));
  const tokens = await pool.tokenize(["ab", "cd"], { maxTokens: 8 });
  expect(tokens.map(({ length }) => length)).toEqual([4, 4]);
  const refused = { code: "too_many_tokens", status: 413, details: { limit: 7 } };
  await expect(pool.tokenize(["ab", "cd"], { maxTokens: 7 })).rejects.toMatchObject(refused);
  await expect(pool.tokenize("abcdef", { maxTokens: 7 })).rejects.toMatchObject(refused);
  expect(pool.info().pending).toEqual(nothing);
  expect((await pool.tokenize("ab"))[0]).toHaveLength(4);
});

test("the pool stops tokenizing once there are too many tokens", async () => {
  const fake = new FakeModel({ texts: 32, tokens: 1_000 });
  const tokenized: string[] = [];
  const { open } = fake;
  const counting = Object.assign(fake, {
    open: async () => {
      const opened = await open();
      const tokenize: typeof opened.tokenizer.tokenize = (text, options) => {
        tokenized.push(text);
        return opened.tokenizer.tokenize(text, options);
      };
      return { ...opened, tokenizer: { ...opened.tokenizer, tokenize } };
    },
  });
  const pool = createPool(counting, { size: 1 });
  await expect(pool.tokenize(Array(20).fill("ab"), { maxTokens: 10 })).rejects.toMatchObject({ code: "too_many_tokens" });
  await pool.tokenize("last");
  expect(tokenized).toEqual(["ab", "ab", "ab", "last"]);
});

test("texts tokenized before their worker died count once and are not rejected with the others", async () => {
  const fake = new FakeModel({ texts: 32, tokens: 1_000 });
  const { open } = fake;
  let calls = 0;
  Object.assign(fake, {
    open: async () => {
      const opened = await open();
      const tokenize: typeof opened.tokenizer.tokenize = (text, options) => {
        calls += 1;
        // The answer to the last call is lost with its worker.
        if (calls === 3) fake.workers.at(-1)?.die();
        return opened.tokenizer.tokenize(text, options);
      };
      return { ...opened, tokenizer: { ...opened.tokenizer, tokenize } };
    },
  });
  const pool = createPool(fake, { size: 1 });
  await pool.load();
  const tokens = await pool.tokenize(["aa", "bb", "cc", "dd"], { maxTokens: 16 });
  expect(tokens.map((list) => list.map(({ text }) => text).join(""))).toEqual(["aa", "bb", "cc", "dd"]);
  expect(calls).toBe(5);
});
