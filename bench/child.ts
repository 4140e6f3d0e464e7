import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** Maximum ms until a child answers. */
const patience = 10 * 60_000;

/** A Python script that speaks Node's IPC protocol: lines of JSON on the descriptor that `NODE_CHANNEL_FD` names. */
export interface Program {
  /** Path of the Python interpreter. */
  readonly interpreter: string;
  readonly script: URL;
  readonly environment: Readonly<Record<string, string>>;
}

/** A process that answers each message with one message. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  /** @param entry a module of this folder, or a program */
  constructor(entry: string | Program) {
    if (typeof entry === "string") {
      this.#process = fork(new URL(entry, import.meta.url), { serialization: "advanced" });
    } else {
      const { interpreter, script, environment } = entry;
      this.#process = fork(script, { execPath: interpreter, execArgv: [], env: { ...process.env, ...environment } });
    }
  }

  /** Sends a message and returns the answer. Rejects if the process ends or does not answer in time. */
  async ask<Answer>(message: object): Promise<Answer> {
    const settled = new AbortController();
    const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(patience)]);
    try {
      const answer = once(this.#process, "message", { signal });
      const ended = once(this.#process, "exit", { signal }).then(([code, killedBy]) => {
        throw new Error(`The measured process ended with ${killedBy ?? `code ${code}`}`);
      });
      this.#process.send(message);
      const [received] = await Promise.race([answer, ended]);
      return received as Answer; // the type is defined by the entry of this child
    } finally {
      settled.abort();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return kill(this.#process);
  }
}

/** Resolves when the process has ended. */
export async function kill(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, "exit");
  process.kill("SIGKILL");
  await exited;
}

/** The child's side. Exits with its parent, since worker threads would keep the process alive. */
export function answerMessages<Message>(answer: (message: Message) => Promise<object>): void {
  process.once("disconnect", () => process.exit());
  process.on("message", async (message: Message) => {
    const answered = await answer(message);
    process.send?.(answered);
  });
}
