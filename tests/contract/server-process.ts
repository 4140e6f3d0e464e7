import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The Node service as a person starts it, in a process of its own, on a free port. */
export class ServerProcess {
  readonly url: string;
  readonly process: ChildProcess;
  readonly #output: string[];
  readonly #stdout: string[];

  private constructor(process: ChildProcess, output: string[], stdout: string[], url: string) {
    this.process = process;
    this.#output = output;
    this.#stdout = stdout;
    this.url = url;
  }

  /**
   * Resolves when the service has printed its address.
   * @param folder of the package: this checkout, or one that was installed
   */
  static async start(env: Record<string, string> = {}, nodeArguments: string[] = [], folder = root): Promise<ServerProcess> {
    const child = spawn(process.execPath, [...nodeArguments, "dist/api/node/main.js"], {
      cwd: folder,
      env: { ...process.env, PORT: "0", ...env },
    });
    const output: string[] = [];
    const stdout: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk.toString()));
    const url = await new Promise<string>((resolve, reject) => {
      const listen = (chunk: Buffer) => {
        output.push(chunk.toString());
        const [, found] = /Embeddings +(http\S+)\/embed/.exec(output.join("")) ?? [];
        if (found) resolve(found);
      };
      child.stdout.on("data", listen);
      child.stderr.on("data", listen);
      child.once("exit", (code) => reject(new Error(`the service ended with code ${code}: ${output.join("")}`)));
    });
    return new ServerProcess(child, output, stdout, url);
  }

  /** Everything that it has printed. */
  get output(): string {
    return this.#output.join("");
  }

  /** The lines of its log. */
  get log(): string[] {
    return this.#stdout.join("").split("\n").filter(Boolean);
  }

  embed(body: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = { "content-type": "application/json", ...init.headers };
    return fetch(`${this.url}/embed`, { method: "POST", body: JSON.stringify(body), ...init, headers });
  }

  /** Sends a signal and waits for the end. Gives the exit code, or null when the signal killed it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    const [code] = await ended;
    return code;
  }
}
