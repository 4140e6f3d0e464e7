import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { deferred } from "../../shared/async.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

for (const size of [1, 3]) {
  testEncoderConformance(`a pool of ${size}`, () => {
    const fake = new FakeModel();
    return { encoder: createPool(fake, { size }), sessionsCreated: () => fake.opened, sessionsPerLoad: size };
  });
}

test.each([0, -1, 1.5, Number.NaN])("createPool rejects a size of %s", (size) => {
  expect(() => createPool(new FakeModel(), { size })).toThrow(RangeError);
});

describe("dispatch in the pool", () => {
  test("the pool runs at most as many texts at once as it has workers", async () => {
    const fake = new FakeModel();
    await createPool(fake, { size: 3 }).embed(Array.from({ length: 30 }, (_, i) => `text ${i}`));
    expect(fake.mostInFlight).toBe(3);
  });

  test("the pool runs interactive requests before bulk ones, and bulk requests in turns", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { size: 1 });
    await pool.load();
    const many = (name: string) => Array.from({ length: 8 }, (_, i) => `${name}${i}`);
    await Promise.all([pool.embed(many("a")), pool.embed(many("b")), pool.embed("now")]);
    // The first text of `a` was under way, and its second in line, when the others came.
    expect(fake.ran.slice(0, 6)).toEqual(["a0", "now", "a1", "b0", "a2", "b1"]);
  });

  test("the pool gives a batching worker as many texts as it accepts", async () => {
    const fake = new FakeModel({ texts: 4, tokens: 1000, lengthStep: 1 });
    const pool = createPool(fake, { size: 1 });
    await pool.load();
    await pool.embed(Array(10).fill("same"));
    expect(fake.runSizes).toEqual([4, 4, 2]);
  });

  test("the pool fills shared runs with texts of any length by their tokens, not their characters", async () => {
    const fake = new FakeModel({ texts: 32, tokens: 96 });
    const pool = createPool(fake, { size: 1 });
    const texts = Array.from({ length: 48 }, (_, i) => "tide"[i % 4]?.repeat(1 + (i % 6)) ?? "");
    const { vectors, tokens } = await pool.embed(texts, { inputType: "query" });
    // By characters they would seem to have two tokens each.
    expect(Math.min(...fake.runSizes.slice(0, -1))).toBeGreaterThanOrEqual(96 / Math.max(...tokens) - 1);
    expect(Math.max(...fake.runSizes)).toBeLessThanOrEqual(96 / Math.min(...tokens));
    for (const [i, text] of texts.entries()) expect(vectors[i]).toEqual((await pool.embed(text, { inputType: "query" })).vectors[0]);
  });

  test("the pool drops an aborted request's texts that have not started", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { size: 1 });
    await pool.load();
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = pool.embed(Array(50).fill("dropped"), { signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expect(call).rejects.toBe(reason);
    await pool.embed("after");
    expect(fake.ran.length).toBeLessThanOrEqual(3);
  });

  test("the pool drops the remaining texts of a turn when its request is aborted after the first run", async () => {
    const fake = new FakeModel({ texts: 8, tokens: 10 });
    const pool = createPool(fake, { size: 1 });
    await pool.load();
    const controller = new AbortController();
    const told = deferred<void>();
    const call = pool.embed(Array(8).fill("dropped"), { signal: controller.signal, onProgress: () => told.resolve() });
    await told.promise;
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await pool.embed("after");
    expect(fake.ran).toEqual(["dropped", "after"]);
  });

  test("the pool drops the texts of an aborted request whose worker dies", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { size: 1 });
    await pool.load();
    const controller = new AbortController();
    fake.onRun = ([text]) => {
      if (text !== "deadly") return;
      controller.abort(new Error("enough"));
      fake.workers[0]?.die();
      return new Promise(() => {});
    };
    await expect(pool.embed("deadly", { signal: controller.signal })).rejects.toThrow("enough");
    fake.onRun = () => {};
    await pool.embed(["after", "it"]);
    expect(fake.ran).toEqual(["after", "it"]);
  });

  test("a progress listener that throws fails its own call, not the worker", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake);
    const mistake = new Error("a listener's mistake");
    const call = pool.embed(["a", "b"], {
      onProgress() {
        throw mistake;
      },
    });
    await expect(call).rejects.toBe(mistake);
    expect(fake.workers.some(({ terminated }) => terminated)).toBe(false);
  });
});

describe("workers with more texts than one run", () => {
  /** Four texts of ten tokens share a run. Estimated from their characters, they have two. */
  const policy = { texts: 32, tokens: 40 };
  const texts = Array.from({ length: 20 }, (_, i) => `bulk ${String(i).padStart(3)}`);

  test("a worker with more texts than one run computes one run and gets the rest again in order", async () => {
    const fake = new FakeModel(policy);
    const done: number[] = [];
    const { vectors } = await createPool(fake, { size: 1 }).embed(texts, { onProgress: ({ texts }) => done.push(texts) });
    expect(fake.runSizes).toEqual([4, 4, 4, 4, 4]);
    expect(fake.ran).toEqual(texts);
    expect(done).toEqual([4, 8, 12, 16, 20]);
    expect(vectors).toEqual((await createSessionEncoder(fake.open).embed(texts)).vectors);
  });

  test("a worker answers an interactive request right after its current run", async () => {
    const fake = new FakeModel(policy);
    const pool = createPool(fake, { size: 1 });
    let question: Promise<unknown> | null = null;
    fake.onRun = async () => {
      question ??= pool.embed("now");
      await new Promise((resolve) => setTimeout(resolve, 0));
    };
    await pool.embed(texts);
    await question;
    expect(fake.ran).toEqual([...texts.slice(0, 4), "now", ...texts.slice(4)]);
  });

  test("a worker that dies loses and repeats none of the other texts", async () => {
    const fake = new FakeModel(policy);
    let runs = 0;
    fake.onRun = () => {
      runs += 1;
      if (runs !== 2) return;
      fake.workers[0]?.die();
      return new Promise(() => {});
    };
    const { vectors } = await createPool(fake, { size: 1 }).embed(texts);
    expect(fake.ran).toEqual(texts);
    expect(vectors).toEqual((await createSessionEncoder(fake.open).embed(texts)).vectors);
  });

  test("for any lengths, workers and run limits, each text is computed once and gets its own vector", async () => {
    const lengths = fc.array(fc.integer({ min: 4, max: 14 }), { minLength: 1, maxLength: 60 });
    const policies = fc.record({ texts: fc.integer({ min: 1, max: 32 }), tokens: fc.integer({ min: 1, max: 128 }) });
    await fc.assert(
      fc.asyncProperty(lengths, policies, fc.integer({ min: 1, max: 3 }), async (lengths, policy, size) => {
        const fake = new FakeModel(policy);
        const texts = lengths.map((length, i) => String(i).padEnd(length, "x"));
        const { vectors, tokens } = await createPool(fake, { size }).embed(texts);
        expect(fake.ran.toSorted()).toEqual(texts.toSorted());
        expect(tokens).toEqual(lengths.map((length) => length + 2));
        expect(vectors).toEqual((await createSessionEncoder(new FakeModel().open).embed(texts)).vectors);
      }),
      { numRuns: 40 },
    );
  });
});

describe("interactive workers", () => {
  const bulk = (count: number) => Array.from({ length: count }, (_, i) => `bulk ${i}`);

  test("an interactive worker answers a query while the others compute bulk texts", async () => {
    const fake = new FakeModel();
    const held = deferred<void>();
    fake.onRun = ([text]) => (text?.startsWith("bulk") ? held.promise : undefined);
    const pool = createPool(fake, { size: 2, interactiveWorkers: 1 });
    const job = pool.embed(bulk(20));
    await expect.poll(() => fake.inFlight).toBe(2);
    expect((await pool.embed("a question")).vectors).toHaveLength(1);
    held.resolve();
    expect((await job).vectors).toHaveLength(20);
    expect(fake.mostInFlight).toBe(3);
  });

  test("an interactive worker takes bulk texts only when no other worker is alive", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { size: 1, interactiveWorkers: 1 });
    await expect.poll(() => pool.load().then(() => pool.info().workers)).toEqual({ ready: 2, size: 2 });
    await pool.embed(bulk(20));
    expect(fake.mostInFlight).toBe(1);
    fake.loadFailures.push(new Error("no more memory"));
    fake.workers[0]?.die();
    expect((await pool.embed(bulk(20))).vectors).toHaveLength(20);
    expect(pool.info().workers).toEqual({ ready: 1, size: 2 });
  });
});

describe("supervision of workers", () => {
  test("the pool replaces a worker that dies while idle", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake);
    await pool.embed(["a", "b"]);
    fake.workers[0]?.die();
    await expect.poll(() => pool.info().workers).toEqual({ ready: 2, size: 2 });
    expect(fake.opened).toBe(3);
  });

  test("the pool retries the text of a worker that died once on another worker", async () => {
    const fake = new FakeModel();
    let deaths = 0;
    fake.onRun = ([text]) => {
      if (text !== "deadly" || deaths++ > 0) return;
      fake.workers[0]?.die();
      return new Promise(() => {});
    };
    const pool = createPool(fake, { size: 1 });
    const { vectors } = await pool.embed(["before", "deadly", "after"]);
    expect(vectors).toHaveLength(3);
    expect(fake.workers).toHaveLength(2);
  });

  test("a text that kills two workers fails only its own caller, and both workers are replaced", async () => {
    const fake = new FakeModel();
    const restarts: string[] = [];
    fake.onRun = ([text]) => {
      if (text !== "deadly") return;
      fake.workers.at(-1)?.die();
      return new Promise(() => {});
    };
    const pool = createPool(fake, { size: 1, observer: { onRestart: ({ code }) => restarts.push(code) } });
    const [killer, other] = await Promise.allSettled([pool.embed(["fine", "deadly"]), pool.embed("other")]);
    expect(killer).toMatchObject({ status: "rejected", reason: { code: "worker_died", status: 503, details: { index: 1 } } });
    expect(other.status).toBe("fulfilled");
    expect((await pool.embed("after")).vectors).toHaveLength(1);
    expect(restarts).toEqual(["worker_died", "worker_died"]);
  });

  test("a text that fails on two workers fails only its own caller", async () => {
    const fake = new FakeModel();
    fake.onRun = ([text]) => {
      if (text === "poison") throw new Error("it always fails");
    };
    const pool = createPool(fake, { size: 2 });
    const [poisoned, ...others] = await Promise.allSettled([
      pool.embed(["fine", "poison"]),
      ...Array.from({ length: 10 }, (_, i) => pool.embed(`text ${i}`)),
    ]);
    expect(poisoned).toMatchObject({ status: "rejected", reason: { code: "inference_failed" } });
    expect(others.every(({ status }) => status === "fulfilled")).toBe(true);
    await expect.poll(() => pool.info().workers.ready).toBe(2);
  });

  test("the pool replaces a worker that hangs and computes its text", async () => {
    const fake = new FakeModel();
    let hung = false;
    fake.onRun = () => {
      if (hung) return;
      hung = true;
      return new Promise(() => {});
    };
    const pool = createPool(fake, { size: 1, runTimeout: 30 });
    expect((await pool.embed("text")).vectors).toHaveLength(1);
    expect(fake.workers[0]?.terminated).toBe(true);
  });

  test("a text on which every worker hangs fails with a timeout", async () => {
    const fake = new FakeModel();
    fake.onRun = () => new Promise(() => {});
    await expect(createPool(fake, { size: 1, runTimeout: 20 }).embed("text")).rejects.toMatchObject({ code: "timeout" });
  });

  test("the pool rejects all waiting calls with the reason when no worker loads, and the next call loads again", async () => {
    const fake = new FakeModel();
    fake.loadFailures.push(new Error("first"), new Error("second"));
    const pool = createPool(fake);
    const waiting = await Promise.allSettled([pool.load(), pool.embed("a"), pool.embed("b")]);
    for (const result of waiting) expect(result).toMatchObject({ status: "rejected", reason: { code: "load_failed" } });
    expect(pool.info()).toMatchObject({ state: "failed", error: { code: "load_failed" } });
    expect((await pool.embed("a")).vectors).toHaveLength(1);
  });

  test("the pool uses the workers that loaded while it retries another", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true });
    try {
      const fake = new FakeModel();
      fake.loadFailures.push(new Error("only the first"));
      const pool = createPool(fake);
      expect((await pool.embed("a")).vectors).toHaveLength(1);
      expect(pool.info().workers).toEqual({ ready: 1, size: 2 });
      await vi.advanceTimersByTimeAsync(1_100);
      await expect.poll(() => pool.info().workers.ready).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a pool disposed by its observer when a worker fails rejects the text of that worker", async () => {
    const fake = new FakeModel();
    fake.onRun = () => {
      throw new Error("the device is lost");
    };
    const pool = createPool(fake, { size: 1, observer: { onRestart: () => void pool.dispose() } });
    await pool.load();
    await expect(pool.embed("a text")).rejects.toMatchObject({ code: "inference_failed" });
    expect(pool.info().state).toBe("idle");
  });

  test("a pool with keepTrying recovers by itself, with growing pauses, until it is disposed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true });
    try {
      const fake = new FakeModel();
      fake.loadFailures.push(new Error("first"), new Error("first"), new Error("second"), new Error("second"));
      const pool = createPool(fake, { size: 2, keepTrying: true });
      await expect(pool.load()).rejects.toMatchObject({ code: "load_failed" });
      expect(pool.info()).toMatchObject({ state: "failed", error: { message: expect.stringContaining("first") } });
      await vi.advanceTimersByTimeAsync(1_100);
      await expect.poll(() => pool.info().error?.message).toContain("second");
      await vi.advanceTimersByTimeAsync(1_100);
      expect(fake.opened).toBe(4);
      await vi.advanceTimersByTimeAsync(1_000);
      await expect.poll(() => pool.info()).toMatchObject({ state: "ready", error: null, workers: { ready: 2, size: 2 } });

      fake.loadFailures.push(new Error("third"), new Error("third"));
      await pool.dispose();
      await expect(pool.load()).rejects.toMatchObject({ code: "load_failed" });
      await pool.dispose();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(fake.opened).toBe(8);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a load that hangs fails with a timeout", async () => {
    const fake = new FakeModel();
    const pool = createPool(fake, { size: 1, loadTimeout: 20, spawn: () => ({ ...silentWorker() }) });
    await expect(pool.load()).rejects.toMatchObject({ code: "timeout" });
    expect(fake.opened).toBe(0);
  });

  test("prepare runs once for all workers, and once more after it failed", async () => {
    const fake = new FakeModel();
    const prepare = vi.fn(async () => null).mockRejectedValueOnce(new Error("offline"));
    const pool = createPool(fake, { prepare });
    await expect(pool.load()).rejects.toMatchObject({ code: "load_failed" });
    await Promise.all([pool.load(), pool.embed("a")]);
    expect(prepare).toHaveBeenCalledTimes(2);
  });

  test("a spawn that throws is a failed load, not a crash", async () => {
    const spawn = () => {
      throw new Error("no threads left");
    };
    await expect(createPool(new FakeModel(), { spawn }).embed("a")).rejects.toMatchObject({ code: "load_failed" });
  });
});

function silentWorker() {
  const { port1 } = new MessageChannel();
  return { endpoint: port1 as never, onDeath: () => {}, terminate: () => port1.close() };
}
