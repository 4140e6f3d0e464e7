import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { abortable, deferred, Mutex, nextTurn, once, withTimeout } from "../../shared/async.ts";

afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});

test("once starts its work at the first call and shares the promise with concurrent and later callers", async () => {
  const start = vi.fn(async () => ({ loaded: true }));
  const load = once(start);
  expect(start).not.toHaveBeenCalled();
  const [a, b] = await Promise.all([load(), load()]);
  expect(b).toBe(a);
  expect(await load()).toBe(a);
  expect(start).toHaveBeenCalledTimes(1);
});

test("once rejects all waiting calls with a failure, and the next call starts again", async () => {
  const start = vi.fn(async () => "loaded").mockRejectedValueOnce(new Error("offline"));
  const load = once(start);
  const waiting = await Promise.allSettled([load(), load()]);
  for (const result of waiting) expect(result).toMatchObject({ status: "rejected", reason: new Error("offline") });
  expect(await load()).toBe("loaded");
  expect(start).toHaveBeenCalledTimes(2);
});

test("once starts again after forget, and a failure of the forgotten work does not affect the new work", async () => {
  const first = deferred<string>();
  const start = vi.fn(async () => "second").mockReturnValueOnce(first.promise);
  const load = once(start);
  const forgotten = load();
  load.forget();
  expect(await load()).toBe("second");
  first.reject(new Error("too late"));
  await expect(forgotten).rejects.toThrow("too late");
  expect(await load()).toBe("second");
  expect(start).toHaveBeenCalledTimes(2);
});

test("withTimeout returns the result or the failure of work that ends in time, and leaves no timer", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const onTimeout = vi.fn(() => new Error("too late"));
  expect(await withTimeout(Promise.resolve(7), 100, onTimeout)).toBe(7);
  await expect(withTimeout(Promise.reject(new Error("it failed")), 100, onTimeout)).rejects.toThrow("it failed");
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(onTimeout).not.toHaveBeenCalled();
});

test("withTimeout rejects late work with the error of onTimeout, and a later failure of the work is not unhandled", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const work = deferred<void>();
  const late = new Promise<void>((_, reject) => void work.promise.then(() => reject(new Error("failed after all"))));
  const call = withTimeout(late, 100, () => new Error("too late"));
  const rejected = expect(call).rejects.toThrow("too late");
  await vi.advanceTimersByTimeAsync(100);
  await rejected;
  work.resolve();
  vi.useRealTimers();
  await nextTurn();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test("abortable rejects with the signal's reason when it aborts, and at once when it is already aborted", async () => {
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const call = abortable(never(), controller.signal);
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
});

test("abortable returns the result without a signal and with one that does not abort, and removes its listener", async () => {
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
  expect(await abortable(Promise.resolve(2), signal)).toBe(2);
  await expect(abortable(Promise.reject(new Error("it failed")), signal)).rejects.toThrow("it failed");
  expect(added).toHaveBeenCalledTimes(2);
  expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener));
});

test("rejecting a deferred that is not awaited raises no unhandled rejection", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  deferred<void>().reject(new Error("nobody listens"));
  await nextTurn();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test("a mutex runs tasks one after another in call order, even when some fail", async () => {
  const tasks = fc.array(fc.record({ fails: fc.boolean(), throws: fc.boolean(), ms: fc.integer({ min: 0, max: 2 }) }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(tasks, async (tasks) => {
      const mutex = new Mutex();
      const events: string[] = [];
      const runs = tasks.map(({ fails, throws, ms }, i) =>
        mutex.run(async () => {
          events.push(`start ${i}`);
          if (throws) {
            events.push(`end ${i}`);
            throw new Error(`task ${i}`);
          }
          await new Promise((resolve) => setTimeout(resolve, ms));
          events.push(`end ${i}`);
          if (fails) throw new Error(`task ${i}`);
          return i;
        }),
      );
      for (const [i, result] of (await Promise.allSettled(runs)).entries()) {
        if (tasks[i]?.fails || tasks[i]?.throws) expect(result).toMatchObject({ status: "rejected", reason: new Error(`task ${i}`) });
        else expect(result).toEqual({ status: "fulfilled", value: i });
      }
      expect(events).toEqual(tasks.flatMap((_, i) => [`start ${i}`, `end ${i}`]));
    }),
    { numRuns: 40 },
  );
});

test("a mutex accepts tasks while it runs one and after being idle", async () => {
  const mutex = new Mutex();
  const order: string[] = [];
  const note = (name: string) => async () => void order.push(name);
  const inner: Promise<void>[] = [];
  await mutex.run(async () => {
    inner.push(mutex.run(note("inner")));
    order.push("outer");
  });
  await Promise.all(inner);
  await mutex.run(note("later"));
  expect(order).toEqual(["outer", "inner", "later"]);
});

test("nextTurn lets timers that are due run first", async () => {
  let ran = false;
  setTimeout(() => {
    ran = true;
  }, 0);
  await Promise.resolve();
  expect(ran).toBe(false);
  await nextTurn();
  expect(ran).toBe(true);
});
