import { readdirSync, readFileSync } from "node:fs";

/** Process ids of the encoder workers that a process has started, by Linux' /proc. */
export function workerProcesses(parent: number = process.pid): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isWorkerOf(pid, parent)).map(Number);
}

function isWorkerOf(pid: string, parent: number): boolean {
  try {
    // The name, in parentheses, may have spaces.
    const [state = "", ppid] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return state !== "Z" && Number(ppid) === parent && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("encoder-worker.js");
  } catch {
    return false; // ended meanwhile
  }
}
