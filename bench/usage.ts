/** Resource usage of processes: processor time, memory, and event loop delay. */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

/** Processor time of all processes of the machine since its start, in s. */
function machineCpuSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1e3;
}

export const usageSchema = z.object({
  seconds: z.number(),
  /** Processor time of all threads of the process, or of all processes of a browser. */
  cpuSeconds: z.number(),
  /** Cores used by other processes during the task: near 0 on an idle machine. */
  coresElsewhere: z.number(),
});

export type Usage = z.infer<typeof usageSchema>;

/** Runs a task. @param cpuSeconds returns the processor time of the measured processes */
export async function measureUsage<Result>(cpuSeconds: () => number | Promise<number>, task: () => Promise<Result>) {
  const machineBefore = machineCpuSeconds();
  const cpuBefore = await cpuSeconds();
  const start = performance.now();
  const result = await task();
  const seconds = (performance.now() - start) / 1e3;
  const used = (await cpuSeconds()) - cpuBefore;
  const coresElsewhere = Math.max(0, (machineCpuSeconds() - machineBefore - used) / seconds);
  return { result, usage: { seconds, cpuSeconds: used, coresElsewhere } };
}

/** Processor time of this process and its running descendants, in s. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + (descendantsCpuMs({}) ?? 0) / 1e3;
}

/**
 * Processor time of the living threads of this process's descendants, in ms. Null without /proc.
 * @param names names of processes and threads. Default: all
 */
export function descendantsCpuMs(names: { readonly process?: string; readonly thread?: string }): number | null {
  if (process.platform !== "linux") return null;
  const threads = descendantsOf(process.pid)
    .filter(({ name }) => (names.process ?? name) === name)
    .flatMap(({ id }) => numbersIn(`/proc/${id}/task`).map((thread) => `/proc/${id}/task/${thread}`))
    .filter((path) => names.thread === undefined || contentOf(`${path}/comm`).trim() === names.thread);
  return threads.reduce((sum, path) => sum + Number(contentOf(`${path}/schedstat`).split(" ")[0]) / 1e6, 0);
}

function descendantsOf(ancestor: number): { readonly id: string; readonly name: string }[] {
  const running = new Map<string, { parent: string; name: string }>();
  for (const id of numbersIn("/proc")) {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(contentOf(`/proc/${id}/stat`)) ?? [];
    if (name !== undefined && parent !== undefined) running.set(id, { parent, name });
  }
  const isDescendant = (id: string): boolean => {
    const parent = running.get(id)?.parent;
    return parent !== undefined && (parent === String(ancestor) || isDescendant(parent));
  };
  return [...running].filter(([id]) => isDescendant(id)).map(([id, { name }]) => ({ id, name }));
}

/**
 * Memory of a process and its descendants in bytes: `resident` is now, where a page that several processes map counts in parts (PSS);
 * `peak` is the sum of their highest resident set sizes, where such a page counts in each. Null without /proc.
 */
export function memoryOf(id: number): { resident: number; peak: number } | null {
  if (process.platform !== "linux") return null;
  const total = { resident: 0, peak: 0 };
  for (const process of [String(id), ...descendantsOf(id).map(({ id }) => id)]) {
    const bytesOf = (file: string, field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(contentOf(`/proc/${process}/${file}`))?.[1] ?? 0) * 1024;
    total.resident += bytesOf("smaps_rollup", "Pss");
    total.peak += bytesOf("status", "VmHWM");
  }
  return total;
}

/** Peak resident memory of this process and its descendants. On Linux from /proc, since `getrusage` starts with the parent's value. */
export const ownPeakBytes = () => memoryOf(process.pid)?.peak ?? process.resourceUsage().maxRSS * 1024;

export const loopDelaySchema = z.object({ p50: z.number(), p99: z.number(), max: z.number() });

/** Delay of a 1 ms timer: percentiles of the whole interval, in ms. */
export type LoopDelay = z.infer<typeof loopDelaySchema>;

/** Monitors this thread's event loop until the returned function is called. */
export function watchEventLoop(): () => Promise<LoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return async () => {
    // One more timer: it records a block that lasted until the end.
    await sleep(5);
    histogram.disable();
    const ms = (nanoseconds: number) => nanoseconds / 1e6;
    return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
  };
}

const numbersIn = (path: string) => unlessEnded(() => readdirSync(path).filter((name) => /^\d+$/.test(name)), []);
const contentOf = (path: string) => unlessEnded(() => readFileSync(path, "utf8"), "");

/** Ignores processes and threads that end before their files in /proc are read. */
function unlessEnded<Found>(read: () => Found, otherwise: Found): Found {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
