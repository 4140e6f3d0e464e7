import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { bin } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { bin: { samevec: string } };

const commandIn = (folder: string) => `${folder}/${bin.samevec}`;

/** What `npx samevec` runs. */
export const command = commandIn(root);

export interface Ended {
  /** Null when a signal killed it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as a person runs it, in a process of its own. */
export class CommandLine {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;

  /** @param folder of the package: this checkout, or one that was installed */
  constructor(args: readonly string[], env: Record<string, string> = {}, folder = root) {
    const child = spawn(process.execPath, [commandIn(folder), ...args], { env: { ...process.env, ...env } });
    this.process = child;
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        output[name] += chunk;
      });
    }
    child.stdin.on("error", () => {}); // It may end before it has read all.
    this.ended = once(child, "close").then(([code]) => ({ code, ...output }));
  }

  static run(
    args: readonly string[],
    { input = "", env = {}, folder }: { input?: string; env?: Record<string, string>; folder?: string } = {},
  ): Promise<Ended> {
    const running = new CommandLine(args, env, folder);
    running.process.stdin.end(input);
    return running.ended;
  }
}
