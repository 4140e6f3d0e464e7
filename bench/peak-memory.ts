import { readFileSync } from "node:fs";

/**
 * The resident set of this process at its highest, in bytes. On Linux from `/proc`: what `getrusage` tells begins with that
 * of the process that started this one.
 */
export function peakMemory(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
