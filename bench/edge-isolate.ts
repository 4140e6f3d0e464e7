import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Miniflare, Response } from "miniflare";
import { unstable_readConfig } from "wrangler";
import { modelDirectory } from "./environment.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
const config = join(root, "wrangler.toml");

/** A folder with the bundle of `wrangler deploy`. */
export class EdgeBundle implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param script path of a worker relative to the root. Default: the worker of wrangler.toml */
  static async make(script?: string): Promise<EdgeBundle> {
    const directory = await mkdtemp(join(tmpdir(), "samevec-edge-"));
    const entry = script === undefined ? [] : [script];
    const commandLine = [wrangler, "deploy", ...entry, "--dry-run", "--outdir", directory, "--config", config];
    await promisify(execFile)(process.execPath, commandLine, { cwd: root });
    return new EdgeBundle(directory);
  }

  /** Starts an isolate in a new workerd, without any request. */
  async start(): Promise<AsyncDisposable & { readonly origin: string }> {
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

/** Requests the vector of a text with the given number of tokens. */
export async function embedTokens(origin: string, tokens: number): Promise<void> {
  const response = await fetch(`${origin}/embed`, {
    method: "POST",
    // workerd closes connections after 5 s idle, which may coincide with the next request.
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ inputs: "word ".repeat(tokens - 2) }), // [CLS] and [SEP] are added
  });
  const body = await response.text();
  const computed = Number(response.headers.get("x-compute-tokens"));
  if (computed !== tokens) throw new Error(`/embed answered ${response.status} for ${computed} tokens: ${body.slice(0, 500)}`);
}
