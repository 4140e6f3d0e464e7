import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Miniflare, Response } from "miniflare";
import { unstable_readConfig } from "wrangler";
import { modelDirectory } from "./environment.ts";

const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const config = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));

/** A folder with what `wrangler deploy` would upload. */
export class EdgeBundle implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param script the worker, by its path from the root */
  static async make(script = "api/edge.ts"): Promise<EdgeBundle> {
    const directory = await mkdtemp(join(tmpdir(), "samevec-edge-"));
    const commandLine = [wrangler, "deploy", script, "--dry-run", "--outdir", directory, "--config", config];
    await promisify(execFile)(process.execPath, commandLine, { cwd: root });
    return new EdgeBundle(directory);
  }

  /** Starts it in a workerd of its own. */
  async start(): Promise<EdgeIsolate> {
    const { compatibility_date: compatibilityDate = "", compatibility_flags: compatibilityFlags, vars } = unstable_readConfig({ config });
    const files = await readdir(this.#directory);
    const read = async (extension: string) => {
      const path = files.find((name) => name.endsWith(extension)) ?? "";
      return { path, contents: await readFile(join(this.#directory, path)) };
    };
    const miniflare = new Miniflare({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      compatibilityDate,
      compatibilityFlags,
      modules: [
        { type: "ESModule", ...(await read(".js")) },
        { type: "CompiledWasm", ...(await read(".wasm")) },
      ],
      bindings: vars,
      serviceBindings: {
        ASSETS: async ({ url }: { url: string }) => new Response(await readFile(new URL(basename(new URL(url).pathname), modelDirectory))),
      },
    });
    const { origin } = await miniflare.ready;
    return { origin, [Symbol.asyncDispose]: () => miniflare.dispose() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true });
  }
}

/** An isolate in workerd that has yet to see its first request. */
export interface EdgeIsolate extends AsyncDisposable {
  /** Where it answers, without a slash at the end. */
  readonly origin: string;
}

/** `POST /embed` of an isolate. Throws when it is not answered with 200. */
export async function embedAtEdge(origin: string, body: object): Promise<globalThis.Response> {
  const response = await fetch(`${origin}/embed`, {
    method: "POST",
    // workerd closes a connection that has been idle for 5 s just when the next request is sent.
    headers: { connection: "close", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`/embed answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response;
}
