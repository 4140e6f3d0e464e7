import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Throughput } from "../../shared/encoder/throughput.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A second of work at `rate`. */
function work(throughput: Throughput, rate: number): void {
  vi.advanceTimersByTime(1_000);
  throughput.count(rate, true);
}

test("tells no rate before it has seen enough, nor where nothing was computed", () => {
  const throughput = new Throughput();
  expect(throughput.tokensPerSecond).toBeNull();
  throughput.count(0, true);
  vi.advanceTimersByTime(500);
  throughput.count(100, true);
  expect(throughput.tokensPerSecond).toBeNull();
  vi.advanceTimersByTime(600);
  throughput.count(100, true);
  expect(throughput.tokensPerSecond).toBeGreaterThan(180);

  const stuck = new Throughput();
  stuck.count(0, true);
  work(stuck, 0);
  work(stuck, 0);
  expect(stuck.tokensPerSecond).toBeNull();
});

test("follows the rate of late more than that of before", () => {
  const throughput = new Throughput();
  throughput.count(0, true);
  for (let second = 0; second < 60; second++) work(throughput, 1_000);
  expect(throughput.tokensPerSecond).toBeCloseTo(1_000);
  for (let second = 0; second < 60; second++) work(throughput, 100);
  expect(throughput.tokensPerSecond).toBeGreaterThan(100);
  expect(throughput.tokensPerSecond).toBeLessThan(300);
});

test("leaves out the time in which there was too little to do", () => {
  const throughput = new Throughput();
  throughput.count(0, true);
  vi.advanceTimersByTime(2_000);
  throughput.count(2_000, false);
  vi.advanceTimersByTime(3_600_000);
  throughput.count(5, false);
  throughput.count(0, true);
  expect(throughput.tokensPerSecond).toBeCloseTo(1_000);
});
