import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface RuntimeEvent {
  readonly thread: number;
  readonly event: "native-load" | "create" | "run-start" | "run-end";
  /** ms, on one clock for all threads. */
  readonly at: number;
}

/** What the threads of a process did with ONNX Runtime, as record-runtime.cjs writes it down. */
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

  /** Start and end of every run, by thread. */
  runsByThread(): Map<number, { start: number; end: number }[]> {
    const threads = new Map<number, { start: number; end: number }[]>();
    for (const { thread, event, at } of this.events()) {
      const runs = threads.get(thread) ?? [];
      threads.set(thread, runs);
      if (event === "run-start") runs.push({ start: at, end: Number.POSITIVE_INFINITY });
      const open = runs.at(-1);
      if (event === "run-end" && open) open.end = at;
    }
    return threads;
  }
}
