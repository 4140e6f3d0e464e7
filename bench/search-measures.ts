/** What the search benchmark measures of an index, ours or a peer's, in its process. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { AskedQuery, SearchJob } from "./search-protocol.ts";
import { percentiles } from "./statistics.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Results per query. */
export const limit = 10;

/** Sums the time of several tasks. */
export class Stopwatch {
  /** The sum, in ms. */
  ms = 0;

  async time<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    const start = performance.now();
    const result = await task();
    this.ms += performance.now() - start;
    return result;
  }
}

/**
 * ms per query. The warm-up has other queries, so that nothing of the measured ones is cached before the first round.
 * @param mostMs after which no further query is asked. Default: all are
 */
export async function timesOf(
  { queries, warmUp, rounds }: SearchJob,
  search: (query: AskedQuery) => unknown,
  mostMs = Number.POSITIVE_INFINITY,
) {
  const timesIn = async (asked: readonly AskedQuery[], end: number) => {
    const times: number[] = [];
    for (const query of asked) {
      const watch = new Stopwatch();
      await watch.time(() => search(query));
      times.push(watch.ms);
      if (performance.now() > end) break;
    }
    return times;
  };
  await timesIn(warmUp, performance.now() + mostMs / 4);
  const end = performance.now() + mostMs;
  const times = await timesIn(queries, end);
  for (let round = 1; round < rounds && performance.now() < end; round++) times.push(...(await timesIn(queries, end)));
  return { ...percentiles(times), asked: times.length };
}

/** JavaScript heap and external buffers, in bytes. The memory of WebAssembly is in neither. */
export function heapInUse(): number {
  // The second collection frees buffers of objects that the first one collected.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
