import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** The longest that a child may stay silent, in ms: a batch of 200 abstracts takes most of a minute on two cores. */
const patience = 10 * 60_000;

/** A script in another language that speaks Node's IPC protocol: lines of JSON on the descriptor that `NODE_CHANNEL_FD` names. */
export interface Program {
  /** Path of the interpreter. */
  readonly interpreter: string;
  readonly script: URL;
  readonly environment: Readonly<Record<string, string>>;
}

/** A process of its own, spoken to by messages in turn: each one sent is answered by one. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  /** @param entry what it runs: a module beside this one, or a program */
  constructor(entry: string | Program) {
    if (typeof entry === "string") {
      this.#process = fork(new URL(entry, import.meta.url), { serialization: "advanced" });
    } else {
      const { interpreter, script, environment } = entry;
      this.#process = fork(script, { execPath: interpreter, execArgv: [], env: { ...process.env, ...environment } });
    }
  }

  /** Sends a message and returns the answer. Rejects when the process ends, or is silent too long, instead. */
  async ask<Answer>(message: object): Promise<Answer> {
    const settled = new AbortController();
    const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(patience)]);
    try {
      const answer = once(this.#process, "message", { signal });
      const ended = once(this.#process, "exit", { signal }).then(([code, killedBy]) => {
        throw new Error(`The process that was measured ended with ${killedBy ?? `code ${code}`}`);
      });
      this.#process.send(message);
      const [received] = await Promise.race([answer, ended]);
      return received as Answer; // what the entry of this child answers with
    } finally {
      settled.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}
