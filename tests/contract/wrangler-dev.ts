import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** Runs a command of wrangler in the project, as `npx wrangler` does. Its output is a pipe. */
export function spawnWrangler(...commandLine: string[]): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  // Plain output, which is read here: Playwright asks for colors.
  const env = { ...process.env, FORCE_COLOR: "0" };
  return spawn(process.execPath, [wrangler, ...commandLine], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
}

/** `wrangler dev`, as `npm run dev:edge` starts it once the site is built, on a free port. */
export class WranglerDev {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** Resolves when it answers. Rejects with what it printed when it ends before. */
  static async start(): Promise<WranglerDev> {
    const child = spawnWrangler("dev", "--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0");
    let output = "";
    const url = await new Promise<string>((resolve, reject) => {
      const listen = (chunk: Buffer) => {
        output += chunk.toString();
        const [, found] = /Ready on (http:\S+\d)/.exec(output) ?? [];
        if (found) resolve(found);
      };
      child.stdout.on("data", listen);
      child.stderr.on("data", listen);
      child.once("exit", (code) => reject(new Error(`wrangler dev ended with code ${code}: ${output}`)));
    });
    return new WranglerDev(child, url);
  }

  /** One connection for each request: workerd closes one that has been idle for 5 s just when the next request is sent. */
  send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("connection", "close");
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  /** Asks it to end and waits until it has. Gives its exit code. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const [code] = await ended;
    return code;
  }
}
