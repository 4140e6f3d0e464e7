import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Miniflare, Response } from "miniflare";
import { unstable_readConfig } from "wrangler";
import { modelDirectory } from "./model-copy.ts";
import { spawnWrangler } from "./wrangler-dev.ts";

type Module = Extract<ConstructorParameters<typeof Miniflare>[0], { modules: unknown[] }>["modules"][number];

/** What `wrangler deploy` would upload. */
export interface WorkerBundle {
  readonly script: string;
  readonly wasm: { readonly name: string; readonly bytes: Buffer };
  /** The files that the script was made of. */
  readonly sources: readonly string[];
}

/** `api/edge/main.ts` as `wrangler deploy` would upload it. */
export async function bundleWorker(): Promise<WorkerBundle> {
  const directory = await mkdtemp(join(tmpdir(), "samevec-edge-"));
  try {
    const build = spawnWrangler("deploy", "--dry-run", "--outdir", directory);
    let output = "";
    build.stdout.on("data", (chunk) => (output += chunk));
    build.stderr.on("data", (chunk) => (output += chunk));
    const [code] = await once(build, "exit");
    if (code !== 0) throw new Error(`wrangler could not bundle the worker: ${output}`);
    const name = (await readdir(directory)).find((file) => file.endsWith(".wasm")) ?? "";
    return {
      script: await readFile(join(directory, "main.js"), "utf8"),
      wasm: { name, bytes: await readFile(join(directory, name)) },
      sources: JSON.parse(await readFile(join(directory, "main.js.map"), "utf8")).sources,
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** What wrangler.toml says. */
const edgeConfig = unstable_readConfig({ config: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)) });

export interface IsolateOptions {
  /** Variables and secrets, instead of those of wrangler.toml. */
  readonly variables?: Readonly<Record<string, string | number>>;
  /** Modules that stand around the worker's own, `worker.js`: the first is the entry. */
  readonly around?: readonly { readonly path: string; readonly contents: string }[];
  /** Another worker, which is bound to this one as `SAMEVEC`, gets the requests. */
  readonly caller?: string;
}

/** The worker alone in workerd, beside a site that the test holds in its hand. */
export class EdgeIsolate {
  /** Called for each file of the model before the site gives it: may wait, or throw for the site to answer with 503. */
  beforeFile: (name: string) => Promise<void> | void = () => {};
  /** Files that the worker has asked the site for. */
  readonly asked: string[] = [];
  /** Where else it wanted to fetch from: nowhere, if all is right. */
  readonly fetchedElsewhere: string[] = [];
  readonly #miniflare: Miniflare;
  #url = new URL("http://unknown");

  private constructor({ script, wasm }: WorkerBundle, { variables, around = [], caller }: IsolateOptions) {
    const modules: Module[] = [
      ...around.map((module) => ({ type: "ESModule" as const, ...module })),
      { type: "ESModule", path: "worker.js", contents: script },
      { type: "CompiledWasm", path: wasm.name, contents: wasm.bytes },
    ];
    const worker = {
      name: "samevec",
      modules,
      compatibilityDate: edgeConfig.compatibility_date ?? "",
      compatibilityFlags: edgeConfig.compatibility_flags,
      bindings: { ...edgeConfig.vars, ...variables },
      serviceBindings: { ASSETS: ({ url }: { url: string }) => this.#serve(basename(new URL(url).pathname)) },
      outboundService: ({ url }: { url: string }) => {
        this.fetchedElsewhere.push(url);
        return new Response("there is no network", { status: 502 });
      },
    };
    const callers = caller ? [{ name: "caller", modules: true, script: caller, serviceBindings: { SAMEVEC: "samevec" } }] : [];
    // `cf: false`: else Miniflare itself asks the network for a place to pretend to be in.
    this.#miniflare = new Miniflare({ host: "127.0.0.1", port: 0, cf: false, workers: [...callers, worker] });
  }

  static async start(bundle: WorkerBundle, options: IsolateOptions = {}): Promise<EdgeIsolate> {
    const isolate = new EdgeIsolate(bundle, options);
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

  /** Where it answers, without a slash at the end. */
  get url(): string {
    return this.#url.origin;
  }

  /** One connection for each request: workerd closes one that has been idle for 5 s just when the next request is sent. */
  send(path: string, init: RequestInit = {}): Promise<globalThis.Response> {
    const headers = new Headers(init.headers);
    headers.set("connection", "close");
    return fetch(new URL(path, this.#url), { ...init, headers });
  }

  embed(inputs: string | string[], headers: Record<string, string> = {}): Promise<globalThis.Response> {
    return this.send("/embed", {
      method: "POST",
      body: JSON.stringify({ inputs }),
      headers: { "content-type": "application/json", ...headers },
    });
  }

  /** Asks for vectors and hangs up when `moment` has come: with a reset, which is the only way for workerd to see it. */
  async embedAndHangUp(inputs: string | string[], moment: Promise<unknown>): Promise<void> {
    const asking = request(new URL("/embed", this.#url), {
      method: "POST",
      agent: false,
      headers: { "content-type": "application/json" },
    });
    const gone = once(asking, "error");
    asking.end(JSON.stringify({ inputs }));
    await moment;
    asking.socket?.resetAndDestroy();
    await gone;
  }

  /** Announces a body of `length` bytes, sends one of them, and hangs up when `moment` has come. */
  async sendPartAndHangUp(length: number, moment: Promise<unknown>): Promise<void> {
    const headers = { "content-type": "application/json", "content-length": length };
    const asking = request(new URL("/embed", this.#url), { method: "POST", agent: false, headers });
    const gone = once(asking, "error");
    asking.write("{");
    await moment;
    asking.socket?.resetAndDestroy();
    await gone;
  }

  stop(): Promise<void> {
    return this.#miniflare.dispose();
  }
}
