import fc from "fast-check";
import { expect, test } from "vitest";
import { deferred } from "../../shared/async.ts";
import type { Embeddings, EmbedOptions, Encoder, Progress } from "../../shared/encoder/encoder.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

const embedAlone = createSessionEncoder(new FakeModel().open);

/** A loaded pool of one worker, whose runs are held until they are released, and the texts of each run that was tried. */
async function createHeldPool(policy = { texts: 32, tokens: 1_000 }) {
  const fake = new FakeModel(policy);
  const pool = createPool(fake, { size: 1 });
  await pool.load();
  const held = deferred<void>();
  const tried: string[][] = [];
  const failing = { text: "" };
  fake.onRun = async (texts) => {
    tried.push(texts);
    await held.promise;
    if (texts.includes(failing.text)) throw new Error("out of luck");
  };
  const first = pool.embed("first");
  return { fake, pool, tried, failing, first, release: () => held.resolve() };
}

test("queries waiting at the same time share a run, and each caller gets its own vector", async () => {
  const { pool, tried, first, release } = await createHeldPool();
  const texts = ["aaaa", "bbbb", "cccc", "dddd"];
  const calls = texts.map((text) => pool.embed(text));
  release();
  await first;
  expect((await Promise.all(calls)).map(({ vectors }) => vectors[0])).toEqual((await embedAlone.embed(texts)).vectors);
  expect(tried).toEqual([["first"], texts]);
});

test("callers of a shared run keep their own options", async () => {
  const { pool, tried, release } = await createHeldPool();
  const options: EmbedOptions[] = [{}, { inputType: "query" }, { normalize: false }, { dimensions: 3 }];
  const calls = options.map((option) => pool.embed("same", option));
  release();
  const expected = await Promise.all(options.map((option) => embedAlone.embed("same", option)));
  expect((await Promise.all(calls)).map(({ vectors }) => vectors)).toEqual(expected.map(({ vectors }) => vectors));
  expect(tried[1]).toEqual(["same", "ask same", "same", "same"]);
});

test("a rejected text fails only its own caller, not those that share its run", async () => {
  const { pool, release } = await createHeldPool();
  const long = "x".repeat(100);
  const refused = pool.embed(["good", long], { truncate: false });
  const other = pool.embed("other");
  release();
  await expect(refused).rejects.toMatchObject({ code: "text_too_long", details: { index: 1 } });
  expect((await other).vectors).toEqual((await embedAlone.embed("other")).vectors);
});

test("an aborted caller does not affect those that share its run", async () => {
  const { pool, tried, first, release } = await createHeldPool();
  const controller = new AbortController();
  const calls = [pool.embed("aaaa"), pool.embed("bbbb", { signal: controller.signal }), pool.embed("cccc")];
  release();
  await first;
  controller.abort(new Error("no longer wanted"));
  const [a, b, c] = await Promise.allSettled(calls);
  expect(tried[1]).toEqual(["aaaa", "bbbb", "cccc"]);
  expect(b).toMatchObject({ status: "rejected", reason: new Error("no longer wanted") });
  expect([a?.status, c?.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(pool.info().pending).toEqual({ texts: 0, tokens: 0 });
});

test("texts of a failed shared run are retried one by one, and only a text that fails again is an error", async () => {
  const { pool, fake, tried, failing, release } = await createHeldPool();
  failing.text = "poison";
  const calls = ["before", "poison", "behind"].map((text) => pool.embed(text));
  release();
  const [before, poison, behind] = await Promise.allSettled(calls);
  expect(tried.slice(1).toSorted((a, b) => b.length - a.length)).toEqual([["before", "poison", "behind"], ...tried.slice(2)]);
  expect(tried.slice(2).flat().toSorted()).toEqual(["before", "behind", "poison"]);
  expect(tried.slice(2).every(({ length }) => length === 1)).toBe(true);
  expect(poison).toMatchObject({ status: "rejected", reason: { code: "inference_failed", details: { index: 0 } } });
  expect([before?.status, behind?.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(fake.workers).toHaveLength(3);
});

test("texts of a shared run whose worker dies are retried one by one", async () => {
  const { pool, fake, first, release } = await createHeldPool();
  const tried: string[][] = [];
  const calls = ["aaaa", "bbbb"].map((text) => pool.embed(text));
  release();
  await first;
  fake.onRun = (texts) => {
    tried.push(texts);
    if (tried.length > 1) return;
    fake.workers.at(-1)?.die();
    return new Promise(() => {});
  };
  const vectors = (await Promise.all(calls)).map((embeddings) => embeddings.vectors[0]);
  expect(vectors).toEqual((await embedAlone.embed(["aaaa", "bbbb"])).vectors);
  expect(fake.ran).toContain("aaaa");
});

test("texts left over from a shared run are computed next", async () => {
  // Two texts of six tokens share a run, and are estimated at three tokens each.
  const { pool, tried, release } = await createHeldPool({ texts: 8, tokens: 12 });
  const texts = ["aaaa", "bbbb", "cccc", "dddd"];
  const calls = texts.map((text) => pool.embed(text));
  release();
  expect((await Promise.all(calls)).map(({ vectors }) => vectors[0])).toEqual((await embedAlone.embed(texts)).vectors);
  expect(tried.flat().slice(1)).toEqual(texts);
  expect(tried.every(({ length }) => length <= 2)).toBe(true);
});

/** The capital letter says what becomes of a text: it always fails, or it fails or ends the worker of a run that it shares. */
const fates = ["P", "F", "K", "x", "x", "x", "x", "x"] as const;

const caller = fc.record({
  texts: fc.array(fc.record({ fate: fc.constantFrom(...fates), length: fc.integer({ min: 5, max: 10 }) }), { minLength: 1, maxLength: 6 }),
  options: fc.record({
    inputType: fc.constantFrom("passage", "query"),
    normalize: fc.boolean(),
    dimensions: fc.integer({ min: 1, max: 8 }),
  }),
  start: fc.integer({ min: 0, max: 2 }),
  abortAfter: fc.option(fc.integer({ min: 0, max: 4 }), { freq: 4 }),
});

/** What a call has come to, and what it was told on the way. */
async function settle(encoder: Encoder, texts: readonly string[], options: EmbedOptions) {
  const told: Progress[] = [];
  const [result] = await Promise.allSettled([encoder.embed(texts, { ...options, onProgress: (done) => told.push(done) })]);
  return { result, told };
}

function expectOwnResults(embeddings: Embeddings, told: readonly Progress[], { vectors, tokens }: Embeddings): void {
  expect(embeddings.vectors).toEqual(vectors);
  expect(embeddings.tokens).toEqual(tokens);
  expect(told.at(-1)).toEqual({ texts: tokens.length, tokens: tokens.reduce((a, b) => a + b, 0) });
  for (const [i, { texts }] of told.entries()) expect(texts).toBeGreaterThan(told[i - 1]?.texts ?? 0);
}

test("for any lengths, callers, aborts and failures, each caller gets its own vectors, progress and errors", async () => {
  const policies = fc.record({ texts: fc.integer({ min: 1, max: 8 }), tokens: fc.integer({ min: 1, max: 100 }) });
  const callers = fc.array(caller, { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(policies, callers, fc.integer({ min: 1, max: 3 }), async (policy, callers, size) => {
      const fake = new FakeModel(policy);
      fake.onRun = async (texts) => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        const run = texts.join();
        const isShared = texts.length > 1;
        if (run.includes("P") || (isShared && run.includes("F"))) throw new Error("out of luck");
        // With more workers another one would end, and its texts might fail twice.
        if (size > 1 || !isShared || !run.includes("K")) return;
        fake.workers.at(-1)?.die();
        await new Promise(() => {});
      };
      const pool = createPool(fake, { size });
      const nameOf = (at: number, place: number, { fate, length }: { fate: string; length: number }) =>
        `${fate}${at}.${place}`.padEnd(length, "_");
      const outcomes = callers.map(async ({ texts, options, start, abortAfter }, at) => {
        await new Promise((resolve) => setTimeout(resolve, start));
        const controller = new AbortController();
        if (abortAfter !== null) setTimeout(() => controller.abort(), abortAfter);
        return settle(
          pool,
          texts.map((text, place) => nameOf(at, place, text)),
          { ...options, signal: controller.signal },
        );
      });
      for (const [at, { result, told }] of (await Promise.all(outcomes)).entries()) {
        const { texts = [], options, abortAfter = null } = callers[at] ?? {};
        const names = texts.map((text, place) => nameOf(at, place, text));
        if (result.status === "fulfilled") {
          expect(texts.some(({ fate }) => fate === "P")).toBe(false);
          expectOwnResults(result.value, told, await embedAlone.embed(names, options));
          continue;
        }
        if (result.reason instanceof DOMException) {
          expect(abortAfter).not.toBeNull();
          continue;
        }
        expect(result.reason).toMatchObject({ code: "inference_failed" });
        expect(texts[result.reason.details.index]?.fate).toBe("P");
      }
      expect(pool.info().pending).toEqual({ texts: 0, tokens: 0 });
    }),
    { numRuns: 60 },
  );
}, 30_000);

test("queries use at most as many workers at a time as accept bulk texts, so that more queries share a run", async () => {
  const fake = new FakeModel({ texts: 32, tokens: 1_000 });
  const pool = createPool(fake, { size: 2, interactiveWorkers: 1 });
  await pool.load();
  await expect.poll(() => pool.info().workers.ready).toBe(3);
  const held = deferred<void>();
  fake.onRun = () => held.promise;
  const queries = Array.from({ length: 6 }, (_, i) => pool.embed(`query ${i}`));
  await expect.poll(() => fake.inFlight).toBe(2);
  const bulk = pool.embed(Array.from({ length: 20 }, (_, i) => `bulk text ${i}`));
  await expect.poll(() => fake.inFlight).toBe(3);
  held.resolve();
  await Promise.all([...queries, bulk]);
  expect(fake.mostInFlight).toBe(3);
});
