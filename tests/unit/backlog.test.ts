import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Backlog, type BacklogLimits } from "../../shared/encoder/backlog.ts";
import { EncoderError } from "../../shared/errors.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const texts = (count: number, tokens = 10) => Array<number>(count).fill(tokens);
const bulk = { bulk: true, workers: 1 };
const interactive = { bulk: false, workers: 1 };
const computed = { computed: true, workers: 1 };
const dropped = { computed: false, workers: 1 };

/** The error of a request that is rejected. */
function rejection(add: () => void): EncoderError {
  try {
    add();
  } catch (error) {
    if (error instanceof EncoderError) return error;
    throw error;
  }
  return expect.fail("the request was admitted");
}

/** Computes `rate` tokens a second for some seconds, while other texts are pending. */
function compute(backlog: Backlog, rate: number, seconds: number): void {
  const waiting = texts(2, 1);
  backlog.add([...texts(seconds, rate), ...waiting], interactive);
  for (let second = 0; second < seconds; second++) {
    vi.advanceTimersByTime(1_000);
    backlog.remove(texts(1, rate), computed);
  }
  backlog.remove(waiting, dropped);
}

/** Tokens a second, from the limit of a backlog whose `maxWait` is a second. */
function measuredRate(backlog: Backlog): number | undefined {
  backlog.add(texts(1, 1), interactive);
  const { limit } = rejection(() => backlog.add(texts(1, 1e9), interactive)).details;
  backlog.remove(texts(1, 1), dropped);
  return limit;
}

const perSecond: BacklogLimits = { maxWait: 1_000 };

test("the backlog admits or rejects a request as a whole", () => {
  const backlog = new Backlog({ maxTokens: 1_000 });
  backlog.add(texts(50), bulk);
  const error = rejection(() => backlog.add(texts(41), bulk));
  expect(error).toMatchObject({ code: "overloaded", status: 429, details: { limit: 1_000, found: 500 } });
  expect(backlog.pending).toEqual({ texts: 50, tokens: 500 });
  backlog.add(texts(40), bulk);
  expect(backlog.pending).toEqual({ texts: 90, tokens: 900 });
});

test("the backlog reserves the last tenth of its limit for interactive requests", () => {
  const backlog = new Backlog({ maxTokens: 1_000 });
  backlog.add(texts(90), bulk);
  expect(rejection(() => backlog.add(texts(1), bulk)).code).toBe("overloaded");
  for (let i = 0; i < 10; i++) backlog.add(texts(1), interactive);
  expect(rejection(() => backlog.add(texts(1), interactive)).code).toBe("overloaded");
  expect(backlog.pending).toEqual({ texts: 100, tokens: 1_000 });
});

test("an empty backlog admits a request of any size", () => {
  const backlog = new Backlog({ maxTokens: 10, maxWait: 1 });
  backlog.add(texts(1_000), bulk);
  expect(backlog.pending).toEqual({ texts: 1_000, tokens: 10_000 });
  backlog.remove(texts(1_000), dropped);
  backlog.add(texts(1_000), bulk);
  expect(backlog.pending.texts).toBe(1_000);
});

test("a backlog without limits admits everything", () => {
  const backlog = new Backlog({});
  for (let i = 0; i < 100; i++) backlog.add(texts(1_000, 1_000), bulk);
  expect(backlog.pending).toEqual({ texts: 100_000, tokens: 1e8 });
});

test("before a rate is measured, the backlog assumes 2,000 tokens a second per worker", () => {
  const limits = [0, 1, 2, 8].map((workers) => {
    const backlog = new Backlog({ maxWait: 100 });
    backlog.add(texts(1), { bulk: false, workers });
    return rejection(() => backlog.add(texts(1, 10_000), { bulk: false, workers })).details.limit;
  });
  expect(limits).toEqual([200, 200, 400, 1_600]);
});

test("the backlog applies the stricter of its two limits", () => {
  const limitOf = (limits: BacklogLimits) => {
    const backlog = new Backlog(limits);
    backlog.add(texts(1), interactive);
    return rejection(() => backlog.add(texts(1, 100_000), interactive)).details.limit;
  };
  expect(limitOf({ maxTokens: 1_000, maxWait: 60_000 })).toBe(1_000);
  expect(limitOf({ maxTokens: 1_000, maxWait: 100 })).toBe(200);
});

test("retryAfter is the time to compute the excess at the measured rate", () => {
  const backlog = new Backlog({ maxTokens: 1_000 });
  backlog.add(texts(100), bulk);
  vi.advanceTimersByTime(2_000);
  backlog.remove(texts(20), computed);
  const retryAfter = (count: number) => rejection(() => backlog.add(texts(count), bulk)).details.retryAfter;
  // 100 tokens a second were computed and 800 are pending; bulk requests may fill 900.
  expect(retryAfter(40)).toBe(3);
  expect(retryAfter(11)).toBe(1);
  // A request that never fits has to wait until the backlog is empty.
  expect(retryAfter(1_000)).toBe(8);
});

test("the backlog measures no rate in less than a second or while nothing is computed", () => {
  const brief = new Backlog(perSecond);
  brief.add(texts(20), interactive);
  vi.advanceTimersByTime(900);
  brief.remove(texts(20), computed);
  const stuck = new Backlog(perSecond);
  stuck.add(texts(2), interactive);
  vi.advanceTimersByTime(5_000);
  stuck.remove(texts(2), dropped);
  expect([measuredRate(brief), measuredRate(stuck)]).toEqual([2_000, 2_000]);
});

test("the backlog's rate follows recent work more than earlier work", () => {
  const backlog = new Backlog(perSecond);
  compute(backlog, 1_000, 60);
  expect(measuredRate(backlog)).toBeGreaterThanOrEqual(999);
  expect(measuredRate(backlog)).toBeLessThanOrEqual(1_000);
  compute(backlog, 100, 60);
  expect(measuredRate(backlog)).toBeGreaterThanOrEqual(100);
  expect(measuredRate(backlog)).toBeLessThan(300);
});

test("the backlog measures its rate only while more texts are pending than there are workers", () => {
  const backlog = new Backlog(perSecond);
  compute(backlog, 1_000, 2);
  // An hour with a text at a time, for one worker, and with nothing at all.
  for (let minute = 0; minute < 60; minute++) {
    backlog.add(texts(1, 5), interactive);
    vi.advanceTimersByTime(60_000);
    backlog.remove(texts(1, 5), computed);
    vi.advanceTimersByTime(60_000);
  }
  expect(measuredRate(backlog)).toBeGreaterThanOrEqual(999);
  expect(measuredRate(backlog)).toBeLessThanOrEqual(1_000);
});

test("the backlog measures no rate while no worker is ready", () => {
  const backlog = new Backlog(perSecond);
  backlog.add(texts(10), { bulk: false, workers: 0 });
  vi.advanceTimersByTime(5_000);
  backlog.remove(texts(10), { computed: true, workers: 0 });
  expect(measuredRate(backlog)).toBe(2_000);
});

interface Step {
  readonly tokens: readonly number[];
  readonly isBulk: boolean;
  /** Ms before the step, and which of the pending requests it ends first. */
  readonly elapsed: number;
  readonly ended: number | null;
  readonly outcome: "computed" | "dropped" | "half";
}

const step: fc.Arbitrary<Step> = fc.record({
  tokens: fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 8 }),
  isBulk: fc.boolean(),
  elapsed: fc.integer({ min: 0, max: 3_000 }),
  ended: fc.option(fc.nat(20)),
  outcome: fc.constantFrom("computed", "dropped", "half"),
});

test("after any additions and removals, the backlog counts nothing twice, keeps its limits and gives retryAfter in whole seconds", () => {
  const limits = fc.record({ maxTokens: fc.integer({ min: 1, max: 1_000 }), maxWait: fc.integer({ min: 1, max: 2_000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), limits, fc.integer({ min: 0, max: 4 }), (steps, limit, workers) => {
      const backlog = new Backlog(limit);
      const pending: (readonly number[])[] = [];
      const total = () => ({ texts: pending.flat().length, tokens: pending.flat().reduce((a, b) => a + b, 0) });
      for (const { tokens, isBulk, elapsed, ended, outcome } of steps) {
        vi.advanceTimersByTime(elapsed);
        const [request = []] = ended === null ? [] : pending.splice(ended % Math.max(1, pending.length), 1);
        const half = outcome === "computed" ? request.length : outcome === "half" ? request.length >> 1 : 0;
        backlog.remove(request.slice(0, half), { computed: true, workers });
        backlog.remove(request.slice(half), { computed: false, workers });
        const before = total();
        expect(backlog.pending).toEqual(before);
        try {
          backlog.add(tokens, { bulk: isBulk, workers });
          pending.push(tokens);
          if (before.texts > 0) expect(backlog.pending.tokens).toBeLessThanOrEqual(limit.maxTokens * (isBulk ? 0.9 : 1));
        } catch (error) {
          const {
            retryAfter = 0,
            found,
            limit: bound = Number.NaN,
          } = error instanceof EncoderError ? error.details : expect.fail("another error");
          expect(before.texts).toBeGreaterThan(0);
          expect(found).toBe(before.tokens);
          expect(bound).toBeLessThanOrEqual(limit.maxTokens);
          expect(Number.isInteger(retryAfter)).toBe(true);
          expect(retryAfter).toBeGreaterThanOrEqual(1);
        }
        expect(backlog.pending).toEqual(total());
      }
      for (const request of pending) backlog.remove(request, { computed: true, workers });
      expect(backlog.pending).toEqual({ texts: 0, tokens: 0 });
    }),
  );
});
