import { cpus } from "node:os";

/** What all processes of the machine have used since it started, in s. */
export function machineCpuSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1e3;
}
