import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { kill } from "./child.ts";

/** The built service, as started by `npm start`, on a free port. */
export class ServiceProcess implements AsyncDisposable {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** Resolves when the service has printed its address. The model may still be loading. */
  static async start(environment: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const child = spawn(process.execPath, ["dist/api/node/main.js"], {
      cwd: fileURLToPath(new URL("../../", import.meta.url)),
      env: { ...process.env, PORT: "0", LOG_LEVEL: "silent", ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const url = await new Promise<string>((resolve, reject) => {
      let output = "";
      // Consumes the output: a full pipe would block the service.
      child.stderr.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const [, found] = /Embeddings +(http\S+)\/embed/.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", (code) => reject(new Error(`The service ended with code ${code}: ${output}`)));
    });
    return new ServiceProcess(child, url);
  }

  /** Process id. */
  get id(): number {
    return this.#process.pid ?? Number.NaN;
  }

  async embed(inputs: readonly string[]): Promise<void> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${this.url}/embed`, { method: "POST", headers, body: JSON.stringify({ inputs }) });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`/embed answered ${response.status}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return kill(this.#process);
  }
}
