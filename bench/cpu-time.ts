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
  const running = new Map<string, { parent: string; name: string }>();
  for (const id of listed("/proc")) {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(content(`/proc/${id}/stat`)) ?? [];
    if (name !== undefined && parent !== undefined) running.set(id, { parent, name });
  }
  const isOurs = (id: string): boolean => {
    const parent = running.get(id)?.parent;
    return parent !== undefined && (parent === String(process.pid) || isOurs(parent));
  };
  const threads = [...running]
    .filter(([id, { name }]) => (names.process ?? name) === name && isOurs(id))
    .flatMap(([id]) => listed(`/proc/${id}/task`).map((thread) => `/proc/${id}/task/${thread}`))
    .filter((path) => names.thread === undefined || content(`${path}/comm`).trim() === names.thread);
  return threads.reduce((sum, path) => sum + Number(content(`${path}/schedstat`).split(" ")[0]) / 1e6, 0);
}

/** The numbers in a folder of /proc: none where the process has ended meanwhile. */
function listed(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Empty where the process or thread has ended meanwhile. */
function content(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
