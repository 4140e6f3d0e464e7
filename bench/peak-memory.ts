import { readFileSync } from "node:fs";

/**
 * The resident set of this process at its highest, in bytes. On Linux from `/proc`: what `getrusage` tells begins with that
 * of the process that started this one.
 */
export function peakMemory(): number {
  return peakMemoryOf("self") ?? process.resourceUsage().maxRSS * 1024;
}

/** That of another process. Null where there is no `/proc`. */
export function peakMemoryOf(id: number | "self"): number | null {
  if (process.platform !== "linux") return null;
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
