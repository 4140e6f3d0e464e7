import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoopDelay } from "./results.ts";

/** Watches this thread's event loop from now on. The function returned ends that and tells what was seen. */
export function watchEventLoop(): () => Promise<LoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return async () => {
    // A loop that was blocked to the last has yet to notice: one more turn of its timers.
    await sleep(5);
    histogram.disable();
    const ms = (nanoseconds: number) => nanoseconds / 1e6;
    return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
  };
}
