/**
 * A process that asks for `GET /health` at fixed times until its parent tells it to stop, and as often a server that only
 * answers. Each has one connection, which is kept alive. A request that is due while another waits for its answer is not sent: it
 * counts as answered with that one.
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
  /** When those that have no answer yet were due. */
  #due: number[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  ask(): void {
    this.#due.push(performance.now());
    if (this.#due.length > 1) return;
    get(this.#url, { agent: this.#agent }, (response) => {
      response.resume();
      response.once("end", () => this.#answered(response.statusCode === 200));
      response.once("error", () => this.#answered(false));
    }).once("error", () => this.#answered(false));
  }

  #answered(well: boolean): void {
    if (!well) this.failures += 1;
    this.stop();
  }

  /** Counts those that wait by what they have waited so far. */
  stop(): void {
    const now = performance.now();
    for (const due of this.#due) this.all.push(now - due);
    this.#due = [];
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
