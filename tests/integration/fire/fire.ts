import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../../contract/server-process.ts";
import { type Attack, type AttackOrder, addOutcomes, type Outcomes } from "./attack.ts";
import { type Children, messageOf } from "./children.ts";
import type { ProbeOrder, ProbeReport } from "./probe.ts";
import { residentBytes } from "./resident-memory.ts";

const loopRecorder = fileURLToPath(new URL("event-loop.cjs", import.meta.url));
const megabyte = 2 ** 20;
const probeInterval = 50;

/** How long the service may take to give memory back, in ms: an idle V8 collects after 8 s, a few times. */
const settlingTime = 25_000;

export interface Figures {
  /** Times of `/health` in ms, and of a server that only answers, at the same moments. */
  readonly health: { readonly p50: number; readonly p99: number; readonly failures: number };
  readonly control: { readonly p99: number };
  /** What requests had to wait for the service's event loop while it computed, in ms: see event-loop.cjs. */
  readonly loop: { readonly p99: number };
  /** In MB. */
  readonly memory: { readonly idle: number; readonly peak: number };
}

/** A service of its own, a probe that watches it, and those who attack it. */
export class Fire {
  readonly server: ServerProcess;
  readonly outcomes: Outcomes = {};
  readonly #children: Children;
  readonly #probe: ChildProcess;
  readonly #idle: number;
  readonly #loopFolder: string;
  readonly #began = Date.now();

  private constructor(server: ServerProcess, children: Children, probe: ChildProcess, loopFolder: string) {
    this.server = server;
    this.#children = children;
    this.#probe = probe;
    this.#loopFolder = loopFolder;
    this.#idle = residentBytes(server.process.pid ?? 0);
  }

  /** @param warmUp what the service is asked before its memory counts as that of an idle one */
  static async start(children: Children, env: Record<string, string>, warmUp: (server: ServerProcess) => Promise<void>): Promise<Fire> {
    const loopFolder = mkdtempSync(join(tmpdir(), "samevec-loop-"));
    const settings = { LOG_LEVEL: "error", EVENT_LOOP_RECORD: join(loopFolder, "delays"), ...env };
    const server = await ServerProcess.start(settings, ["--max-old-space-size=768", "--require", loopRecorder]);
    try {
      await warmUp(server);
      await wait(1_000);
      const control = await messageOf<string>(children.start("control"));
      const probe = children.start("probe");
      const fire = new Fire(server, children, probe, loopFolder);
      const order: ProbeOrder = { service: server.url, control, pid: server.process.pid ?? 0, interval: probeInterval };
      probe.send(order);
      return fire;
    } catch (error) {
      await server.stop("SIGKILL");
      throw error;
    }
  }

  /** Attacks from a process of its own for each, and resolves when all of them are over. */
  async attack(...attacks: Attack[]): Promise<void> {
    await Promise.all(
      attacks.map(async (attack) => {
        const attacker = this.#children.start("attacker");
        const order: AttackOrder = { url: this.server.url, attack };
        attacker.send(order);
        addOutcomes(this.outcomes, await messageOf<Outcomes>(attacker));
        attacker.disconnect();
      }),
    );
  }

  /** Ends the probe. Gives the figures of the time until then, which are whole a second later, or once the service has ended. */
  async watched(): Promise<() => Figures> {
    this.#probe.send("stop");
    const { health, control, failures, peak } = await messageOf<ProbeReport>(this.#probe);
    const ended = Date.now();
    return () => ({
      health: { p50: quantile(health, 0.5), p99: quantile(health, 0.99), failures },
      control: { p99: quantile(control, 0.99) },
      loop: { p99: quantile(this.#loopDelays(ended), 0.99) },
      memory: { idle: this.#idle / megabyte, peak: peak / megabyte },
    });
  }

  async end(): Promise<void> {
    await this.server.stop("SIGKILL");
    rmSync(this.#loopFolder, { recursive: true });
  }

  /** Of requests from the fire's beginning until `end`. */
  #loopDelays(end: number): number[] {
    const lines = readFileSync(join(this.#loopFolder, "delays"), "utf8").split("\n").filter(Boolean);
    const delays = lines.map((line) => line.split(" ").map(Number));
    return delays.flatMap(([at = 0, delay = 0]) => (at >= this.#began && at <= end ? [delay] : []));
  }

  get alive(): boolean {
    return this.server.process.exitCode === null && this.server.process.signalCode === null;
  }

  /** The service's memory in MB, as soon as it is below `bound`, or after some seconds. */
  async memoryAfter(bound: number): Promise<number> {
    await wait(1_000);
    const end = performance.now() + settlingTime;
    for (;;) {
      const now = residentBytes(this.server.process.pid ?? 0) / megabyte;
      if (now <= bound || performance.now() > end) return now;
      await wait(250);
    }
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** A row of figures. */
export function rowOf(
  scenario: string,
  { health, control, loop, memory }: Figures,
  after: number | null,
  outcomes: Outcomes,
  exit: string,
): string {
  const whole = (number: number) => number.toFixed(0);
  const answers = Object.entries(outcomes).toSorted(([a], [b]) => a.localeCompare(b));
  return [
    "",
    scenario,
    `${health.p50.toFixed(1)} / ${health.p99.toFixed(1)} (control ${control.p99.toFixed(1)}, loop ${loop.p99.toFixed(1)})`,
    `${whole(memory.idle)} / ${whole(memory.peak)} / ${after === null ? "-" : whole(after)}`,
    answers.map(([outcome, times]) => `${times} × ${outcome}`).join(", "),
    exit,
    "",
  ]
    .join(" | ")
    .trim();
}

export const tableHead = "| scenario | /health p50 / p99 ms | RSS idle / peak / after MB | answers | exit ms |\n|---|---|---|---|---|";
