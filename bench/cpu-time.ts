import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** What all processes of the machine have used since it started, in s. */
export function machineCpuSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1e3;
}

/**
 * Processor time of the living threads of those processes that this one, or one of its children, has started, in ms. Null where there is
 * no /proc.
 * @param names of the processes, and of their threads. Default: all
 */
export function descendantsCpuMs(names: { readonly process?: string; readonly thread?: string }): number | null {
  if (process.platform !== "linux") return null;
  const started = new Map<number, { parent: number; name: string }>();
  for (const entry of readdirSync("/proc")) {
    const [, name = "", parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(/^\d+$/.test(entry) ? contentOf(`/proc/${entry}/stat`) : "") ?? [];
    if (parent !== undefined) started.set(Number(entry), { parent: Number(parent), name });
  }
  const isDescendant = (id: number): boolean => {
    const { parent } = started.get(id) ?? {};
    return parent !== undefined && (parent === process.pid || isDescendant(parent));
  };
  let nanoseconds = 0;
  for (const [id, { name }] of started) {
    if ((names.process !== undefined && names.process !== name) || !isDescendant(id)) continue;
    for (const thread of readdirOf(`/proc/${id}/task`)) {
      const path = `/proc/${id}/task/${thread}`;
      if (names.thread !== undefined && contentOf(`${path}/comm`).trim() !== names.thread) continue;
      nanoseconds += Number(contentOf(`${path}/schedstat`).split(" ")[0]);
    }
  }
  return nanoseconds / 1e6;
}

/** Processes and threads may end while they are looked at. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readdirOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
