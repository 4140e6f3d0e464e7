import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Deferred, deferred } from "../../shared/async.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { createSessionEncoder, type SessionEncoderOptions } from "../../shared/encoder/session-encoder.ts";
import { FakeModel } from "./fake-model.ts";

const nothing = { texts: 0, tokens: 0 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An encoder whose loads end when the test says so. */
function createWithHeldLoads(options: SessionEncoderOptions = {}) {
  const fake = new FakeModel();
  const loads: Deferred<void>[] = [];
  const open: OpenModel = async () => {
    const load = deferred<void>();
    loads.push(load);
    await load.promise;
    return fake.open();
  };
  return { fake, loads, encoder: createSessionEncoder(open, options) };
}

/** Lets the fake model open, which takes a millisecond. */
const settle = () => vi.advanceTimersByTimeAsync(5);

const timedOut = (loadTimeout: number) => ({ code: "timeout", status: 504, details: { limit: loadTimeout } });

test("a load that times out rejects all waiting calls, and the next call loads again", async () => {
  const { fake, loads, encoder } = createWithHeldLoads({ loadTimeout: 1_000 });
  const waiting = Promise.allSettled([encoder.load(), encoder.embed("a"), encoder.tokenize("b")]);
  await vi.advanceTimersByTimeAsync(999);
  expect(encoder.info().state).toBe("loading");
  await vi.advanceTimersByTimeAsync(1);
  for (const result of await waiting) expect(result).toMatchObject({ status: "rejected", reason: timedOut(1_000) });
  expect(encoder.info()).toMatchObject({ state: "failed", error: { code: "timeout" }, pending: nothing });
  const again = encoder.embed("a");
  expect(encoder.info()).toMatchObject({ state: "loading", error: null });
  loads[1]?.resolve();
  await settle();
  expect((await again).vectors).toHaveLength(1);
  expect(loads).toHaveLength(2);
  expect(fake.opened).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a timed-out load that finishes later frees its session once and does not replace the current one", async () => {
  const { fake, loads, encoder } = createWithHeldLoads({ loadTimeout: 1_000 });
  const waiting = Promise.allSettled([encoder.load(), encoder.load(), encoder.load()]);
  await vi.advanceTimersByTimeAsync(1_000);
  await waiting;
  const again = encoder.load();
  loads[1]?.resolve();
  await settle();
  await again;
  loads[0]?.resolve();
  await settle();
  expect(fake.opened).toBe(2);
  expect(fake.disposed).toBe(1);
  const call = encoder.embed("a");
  await settle();
  expect((await call).vectors).toHaveLength(1);
});

test("a call that joins a load that times out gets an error, not a freed session", async () => {
  const { fake, loads, encoder } = createWithHeldLoads({ loadTimeout: 1_000 });
  const first = expect(encoder.embed("first")).rejects.toMatchObject(timedOut(1_000));
  await vi.advanceTimersByTimeAsync(600);
  const second = expect(encoder.embed("second")).rejects.toMatchObject({ retryable: true });
  await vi.advanceTimersByTimeAsync(400);
  await first;
  loads[0]?.resolve();
  await settle();
  await vi.advanceTimersByTimeAsync(600);
  await second;
  expect(fake.ran).toEqual([]);
  expect(fake.disposed).toBe(1);
});

test("a later timeout of an old load does not end the new load", async () => {
  const { loads, encoder } = createWithHeldLoads({ loadTimeout: 1_000 });
  const first = expect(encoder.load()).rejects.toMatchObject(timedOut(1_000));
  await vi.advanceTimersByTimeAsync(900);
  const second = expect(encoder.load()).rejects.toMatchObject(timedOut(1_000));
  await vi.advanceTimersByTimeAsync(100);
  await first;
  const third = encoder.load();
  await vi.advanceTimersByTimeAsync(900);
  await second;
  expect(encoder.info().state).toBe("loading");
  loads[1]?.resolve();
  await settle();
  expect((await third).id).toBe("fake");
});

test("a load without a timeout is awaited, and a loaded encoder sets no timer", async () => {
  const unlimited = createWithHeldLoads();
  const call = unlimited.encoder.load();
  await vi.advanceTimersByTimeAsync(3_600_000);
  unlimited.loads[0]?.resolve();
  await settle();
  expect((await call).id).toBe("fake");

  const limited = createWithHeldLoads({ loadTimeout: 1_000 });
  const loading = limited.encoder.load();
  limited.loads[0]?.resolve();
  await settle();
  await loading;
  await limited.encoder.load();
  expect(vi.getTimerCount()).toBe(0);
});

test("aborting a call during a load does not abort the load", async () => {
  const { fake, loads, encoder } = createWithHeldLoads({ loadTimeout: 1_000 });
  const controller = new AbortController();
  const aborted = expect(encoder.embed("a", { signal: controller.signal })).rejects.toThrow("no longer wanted");
  const stays = encoder.embed("b");
  controller.abort(new Error("no longer wanted"));
  await aborted;
  loads[0]?.resolve();
  await settle();
  expect((await stays).vectors).toHaveLength(1);
  expect(fake.opened).toBe(1);
});

test("a call with more than maxCallTokens is rejected before any run, counted after truncation", async () => {
  vi.useRealTimers();
  const fake = new FakeModel();
  const encoder = createSessionEncoder(fake.open, { maxCallTokens: 16 + 3 });
  const refused = { code: "too_many_tokens", status: 413, details: { limit: 19 } };
  await expect(encoder.embed(["x".repeat(100), "ab"])).rejects.toMatchObject(refused);
  expect(fake.ran).toEqual([]);
  expect(encoder.info().pending).toEqual(nothing);
  expect((await encoder.embed(["x".repeat(100), "a"])).tokens).toEqual([16, 3]);
});

test("no more texts are tokenized once a call has more than maxCallTokens", async () => {
  vi.useRealTimers();
  const fake = new FakeModel();
  let encoded = 0;
  const open: OpenModel = async () => {
    const opened = await fake.open();
    const encode = (text: string) => {
      encoded += 1;
      return opened.tokenizer.encode(text);
    };
    return { ...opened, tokenizer: { ...opened.tokenizer, encode } };
  };
  await expect(createSessionEncoder(open, { maxCallTokens: 10 }).embed(Array(1_000).fill("a"))).rejects.toMatchObject({
    code: "too_many_tokens",
  });
  expect(encoded).toBe(4);
});

/** Counts the tasks that the thread runs until `call` has ended. */
async function tasksDuring(call: Promise<unknown>): Promise<number> {
  let tasks = 0;
  const ticking = setInterval(() => tasks++, 0);
  await call;
  clearInterval(ticking);
  return tasks;
}

test("embed and tokenize let other tasks run while tokenizing many texts", async () => {
  vi.useRealTimers();
  const fake = new FakeModel({ texts: 10_000, tokens: 1_000_000 });
  fake.onRun = () => {};
  const encoder = createSessionEncoder(fake.open);
  await encoder.load();
  const texts = Array<string>(1_000).fill("text");
  expect(await tasksDuring(encoder.embed(texts))).toBeGreaterThan(15);
  expect(fake.runSizes).toEqual([1_000]);
  expect(await tasksDuring(encoder.tokenize(texts.slice(0, 100)))).toBeGreaterThan(50);
});

test("a call aborted during tokenization computes none of its texts", async () => {
  vi.useRealTimers();
  const fake = new FakeModel();
  const encoder = createSessionEncoder(fake.open);
  await encoder.load();
  const controller = new AbortController();
  const call = encoder.embed(Array(1_000).fill("text"), { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("no longer wanted")), 0);
  await expect(call).rejects.toThrow("no longer wanted");
  expect(encoder.info().pending).toEqual(nothing);
  await encoder.embed("after");
  expect(fake.ran).toEqual(["after"]);
});

/** A text of ten estimated tokens, and of more than the fake model takes. */
const tenTokens = "a b c d e f g h";

test("a call that exceeds the backlog's maxTokens is rejected with overloaded, and admitted once others have ended", async () => {
  vi.useRealTimers();
  const fake = new FakeModel();
  const encoder = createSessionEncoder(fake.open, { maxTokens: 100 });
  const admitted = encoder.embed(Array(8).fill(tenTokens));
  expect(encoder.info().pending).toEqual({ texts: 8, tokens: 80 });
  for (const call of [encoder.embed(Array(3).fill(tenTokens)), encoder.tokenize(Array(3).fill(tenTokens))]) {
    await expect(call).rejects.toMatchObject({ code: "overloaded", details: { limit: 100, found: 80, retryAfter: 1 } });
  }
  await admitted;
  expect(encoder.info().pending).toEqual(nothing);
  expect((await encoder.embed(Array(3).fill(tenTokens))).vectors).toHaveLength(3);
  expect(fake.ran).toHaveLength(11);
});

test("calls that fail, are rejected or are aborted free their place in the backlog", async () => {
  vi.useRealTimers();
  const fake = new FakeModel();
  fake.loadFailures.push(new Error("the disk is gone"));
  fake.onRun = ([text]) => {
    if (text === "bad") throw new Error("out of luck");
  };
  const encoder = createSessionEncoder(fake.open, { maxTokens: 100 });
  await expect(encoder.embed("a")).rejects.toMatchObject({ code: "load_failed" });
  const long = "x".repeat(100);
  const calls = [
    encoder.embed("bad"),
    encoder.embed(long, { truncate: false }),
    encoder.tokenize(long, { maxTokens: 5 }),
    encoder.embed("a", { signal: AbortSignal.abort(new Error("no longer wanted")) }),
    encoder.embed("a", { dimensions: 100 }),
  ];
  const codes = (await Promise.allSettled(calls)).map((result) => (result.status === "rejected" ? result.reason.code : "fulfilled"));
  expect(codes).toEqual(["inference_failed", "text_too_long", "too_many_tokens", undefined, "invalid_dimensions"]);
  expect(encoder.info().pending).toEqual(nothing);
});
