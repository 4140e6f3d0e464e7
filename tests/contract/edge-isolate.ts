import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Miniflare, Response } from "miniflare";
import { modelDirectory } from "./model-copy.ts";
import { spawnWrangler } from "./wrangler-dev.ts";

type Module = Extract<ConstructorParameters<typeof Miniflare>[0], { modules: unknown[] }>["modules"][number];

/** `api/edge.ts` as `wrangler deploy` would upload it. */
export async function bundleWorker(): Promise<Module[]> {
  const directory = await mkdtemp(join(tmpdir(), "samevec-edge-"));
  try {
    const build = spawnWrangler("deploy", "--dry-run", "--outdir", directory);
    let output = "";
    build.stdout.on("data", (chunk) => (output += chunk));
    build.stderr.on("data", (chunk) => (output += chunk));
    const [code] = await once(build, "exit");
    if (code !== 0) throw new Error(`wrangler could not bundle the worker: ${output}`);
    const wasm = (await readdir(directory)).find((name) => name.endsWith(".wasm")) ?? "";
    return [
      { type: "ESModule", path: "edge.js", contents: await readFile(join(directory, "edge.js"), "utf8") },
      { type: "CompiledWasm", path: wasm, contents: await readFile(join(directory, wasm)) },
    ];
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The worker alone in workerd, beside a site that the test holds in its hand. */
export class EdgeIsolate {
  /** Called for each file of the model before the site gives it: may wait, or throw for the site to answer with 503. */
  beforeFile: (name: string) => Promise<void> | void = () => {};
  /** Files that the worker has asked the site for. */
  readonly asked: string[] = [];
  readonly #miniflare: Miniflare;
  #url = new URL("http://unknown");

  private constructor(modules: Module[]) {
    this.#miniflare = new Miniflare({
      host: "127.0.0.1",
      port: 0,
      modules,
      compatibilityDate: "2026-04-26",
      serviceBindings: { ASSETS: ({ url }: { url: string }) => this.#serve(basename(new URL(url).pathname)) },
    });
  }

  static async start(modules: Module[]): Promise<EdgeIsolate> {
    const isolate = new EdgeIsolate(modules);
    isolate.#url = await isolate.#miniflare.ready;
    return isolate;
  }

  async #serve(name: string): Promise<Response> {
    this.asked.push(name);
    try {
      await this.beforeFile(name);
    } catch {
      return new Response("not now", { status: 503 });
    }
    return new Response(await readFile(join(modelDirectory, name)));
  }

  embed(inputs: string | string[]): Promise<globalThis.Response> {
    return fetch(new URL("/embed", this.#url), { method: "POST", body: JSON.stringify({ inputs }) });
  }

  /** Asks for vectors and hangs up when `moment` has come: with a reset, which is the only way for workerd to see it. */
  async embedAndHangUp(inputs: string | string[], moment: Promise<unknown>): Promise<void> {
    const asking = request(new URL("/embed", this.#url), { method: "POST", agent: false });
    const gone = once(asking, "error");
    asking.end(JSON.stringify({ inputs }));
    await moment;
    asking.socket?.resetAndDestroy();
    await gone;
  }

  stop(): Promise<void> {
    return this.#miniflare.dispose();
  }
}
