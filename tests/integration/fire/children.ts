import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const entries = ["attacker", "control", "probe"] as const;

/** The scripts of processes beside the service's: what they compute delays neither the service's thread nor one another. */
export class Children {
  readonly #folder: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<Children> {
    const outDir = await mkdtemp(join(tmpdir(), "samevec-fire-"));
    const files = entries.map((name) => [name, fileURLToPath(new URL(`${name}.ts`, import.meta.url))]);
    await build({
      configFile: false,
      logLevel: "warn",
      publicDir: false,
      build: {
        outDir,
        emptyOutDir: false,
        target: "es2022",
        minify: false,
        lib: { entry: Object.fromEntries(files), formats: ["es"], fileName: (_format, name) => `${name}.mjs` },
        rolldownOptions: { external: [/^node:/] },
      },
    });
    return new Children(outDir);
  }

  start(entry: (typeof entries)[number]): ChildProcess {
    const child = fork(join(this.#folder, `${entry}.mjs`), { serialization: "advanced", execArgv: [] });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }

  /** Ends those that still run. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.#folder, { recursive: true });
  }
}

/** The next message of a child. Rejects when it ends without one. */
export async function messageOf<Message>(child: ChildProcess): Promise<Message> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a process of the test ended with code ${code}`);
  });
  const [message] = await Promise.race([once(child, "message"), ended]);
  return message as Message;
}
