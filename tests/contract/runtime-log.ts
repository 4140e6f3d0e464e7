import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface RuntimeEvent {
  /** Process id of the worker; 0 for the process that starts them. */
  readonly worker: number;
  readonly event: "native-load" | "create" | "run-start" | "run-end";
  /** ms, on one clock for all processes. */
  readonly at: number;
}

/** What the workers of a process did with ONNX Runtime, as record-runtime.cjs writes it down. */
export class RuntimeLog {
  readonly file = join(mkdtempSync(join(tmpdir(), "samevec-log-")), "runtime.jsonl");

  events(): RuntimeEvent[] {
    if (!existsSync(this.file)) return [];
    const lines = readFileSync(this.file, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as RuntimeEvent);
  }

  count(event: RuntimeEvent["event"]): number {
    return this.events().filter((one) => one.event === event).length;
  }

  /** Start and end of every run, by worker. */
  runsByWorker(): Map<number, { start: number; end: number }[]> {
    const workers = new Map<number, { start: number; end: number }[]>();
    for (const { worker, event, at } of this.events()) {
      const runs = workers.get(worker) ?? [];
      workers.set(worker, runs);
      if (event === "run-start") runs.push({ start: at, end: Number.POSITIVE_INFINITY });
      const open = runs.at(-1);
      if (event === "run-end" && open) open.end = at;
    }
    return workers;
  }
}
