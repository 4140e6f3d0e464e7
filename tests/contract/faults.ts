import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What workers can be made to do: see faults.cjs. */
type Fault = "exit" | "trap" | "hang" | "crash" | "block" | "memory" | "spin" | "load-fails" | "load-waits" | "poison";

/** Faults for the workers of a process that is started with `nodeArguments` and `env`. */
export class Faults {
  readonly nodeArguments = ["--require", fileURLToPath(new URL("faults.cjs", import.meta.url))];
  readonly #folder = mkdtempSync(join(tmpdir(), "samevec-faults-"));
  readonly env = { FAULTS: this.#folder };

  /** @param times how many workers take it: of those of loads, all that load until they are removed; of poison, all that take it */
  add(fault: Fault, times = 1): void {
    const files = fault.startsWith("load-") || fault === "poison" ? [fault] : Array.from({ length: times }, (_, i) => `${fault}.${i}`);
    for (const file of files) writeFileSync(join(this.#folder, file), "");
  }

  /** How many of it no thread has taken yet. */
  left(fault: Fault): number {
    return readdirSync(this.#folder).filter((name) => name.startsWith(`${fault}.`)).length;
  }

  remove(fault: Fault): void {
    rmSync(join(this.#folder, fault));
  }
}
