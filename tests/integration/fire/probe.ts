/**
 * A process that asks for `GET /health` at fixed times until its parent tells it to stop, and as often a server that only
 * answers. Each has one connection, which is kept alive: a request that waits for a late answer is counted from when it was due.
 */
import { Agent, get } from "node:http";
import { residentBytes } from "./resident-memory.ts";

export interface ProbeOrder {
  readonly service: string;
  readonly control: string;
  /** The service's process. */
  readonly pid: number;
  /** Between two requests, in ms. */
  readonly interval: number;
}

export interface ProbeReport {
  /** Times of all answers in ms. */
  readonly health: number[];
  readonly control: number[];
  /** Requests to `/health` without an answer of status 200. */
  readonly failures: number;
  /** The highest resident set size, in bytes. */
  readonly peak: number;
}

/** The times of one server's answers. */
class Times {
  readonly all: number[] = [];
  failures = 0;
  readonly #waiting = new Set<number>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  ask(): void {
    const due = performance.now();
    this.#waiting.add(due);
    const end = (answered: boolean) => {
      if (!this.#waiting.delete(due)) return;
      this.all.push(performance.now() - due);
      if (!answered) this.failures += 1;
    };
    get(this.#url, { agent: this.#agent }, (response) => {
      response.resume();
      response.once("end", () => end(response.statusCode === 200));
      response.once("error", () => end(false));
    }).once("error", () => end(false));
  }

  /** Counts those that still wait by what they have waited so far. */
  stop(): void {
    for (const due of this.#waiting) this.all.push(performance.now() - due);
    this.#waiting.clear();
  }
}

process.once("disconnect", () => process.exit());
process.once("message", ({ service, control, pid, interval }: ProbeOrder) => {
  const health = new Times(`${service}/health`);
  const reference = new Times(control);
  let peak = 0;
  const timer = setInterval(() => {
    health.ask();
    reference.ask();
    peak = Math.max(peak, residentBytes(pid));
  }, interval);
  process.once("message", () => {
    clearInterval(timer);
    health.stop();
    reference.stop();
    const report: ProbeReport = { health: health.all, control: reference.all, failures: health.failures, peak };
    process.send?.(report, () => process.exit());
  });
});
