import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Miniflare, Response } from "miniflare";
import { unstable_readConfig } from "wrangler";
import { modelDirectory } from "./environment.ts";
import type { EdgeResult } from "./results.ts";
import { spreadOf } from "./statistics.ts";

type Round = EdgeResult["rounds"][number];

/** Token counts, special tokens included, and how often a text of so many is sent. */
const lengths = [
  { tokens: 16, times: 20 },
  { tokens: 64, times: 20 },
  { tokens: 128, times: 10 },
  { tokens: 256, times: 6 },
  { tokens: 512, times: 4 },
];

const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));
const config = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));

/** `rounds` lives of the isolate in workerd: in each its first answer, and then texts of growing length, one after the other. */
export async function measureEdge(rounds: number, onRound: (round: Round) => void): Promise<Round[]> {
  const directory = await mkdtemp(join(tmpdir(), "samevec-edge-"));
  try {
    await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", directory, "--config", config]);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const figures = await measureIsolate(directory);
      onRound(figures);
      measured.push(figures);
    }
    return measured;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** @param directory what wrangler would upload */
async function measureIsolate(directory: string): Promise<Round> {
  const { compatibility_date: compatibilityDate = "", compatibility_flags: compatibilityFlags, vars } = unstable_readConfig({ config });
  const wasm = (await readdir(directory)).find((name) => name.endsWith(".wasm")) ?? "";
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    compatibilityDate,
    compatibilityFlags,
    modules: [
      { type: "ESModule", path: "edge.js", contents: await readFile(join(directory, "edge.js"), "utf8") },
      { type: "CompiledWasm", path: wasm, contents: await readFile(join(directory, wasm)) },
    ],
    bindings: vars,
    serviceBindings: {
      ASSETS: async ({ url }: { url: string }) => new Response(await readFile(new URL(basename(new URL(url).pathname), modelDirectory))),
    },
  });
  try {
    const { origin } = await miniflare.ready;
    const first = await measureTexts(origin, 16, 1);
    // Until the engine has optimized the runtime's code, beside it, on another thread.
    await measureTexts(origin, 128, 20);
    const texts: Round["texts"] = [];
    for (const { tokens, times } of lengths) texts.push(await measureTexts(origin, tokens, times));
    return { first, texts };
  } finally {
    await miniflare.dispose();
  }
}

async function measureTexts(url: string, tokens: number, times: number): Promise<Round["first"]> {
  const milliseconds: number[] = [];
  const before = await workerdCpu();
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await embed(url, tokens);
    milliseconds.push(performance.now() - start);
  }
  const after = await workerdCpu();
  return { tokens, ms: spreadOf(milliseconds).median, cpuMs: before === null || after === null ? null : (after - before) / times };
}

async function embed(url: string, tokens: number): Promise<void> {
  const response = await fetch(`${url}/embed`, {
    method: "POST",
    // workerd closes a connection that has been idle for 5 s just when the next request is sent.
    headers: { connection: "close" },
    body: JSON.stringify({ inputs: "word ".repeat(tokens - 2) }), // beside [CLS] and [SEP]
  });
  const body = await response.text();
  const computed = Number(response.headers.get("x-compute-tokens"));
  if (!response.ok || computed !== tokens) throw new Error(`/embed answered ${response.status}, ${computed} tokens: ${body.slice(0, 500)}`);
}

/** A clock tick of /proc, in ms: Linux has had no other for user space. */
const tick = 10;

/** Processor time of the workerd that this process has started, in ms. Null where there is no /proc. */
async function workerdCpu(): Promise<number | null> {
  if (process.platform !== "linux") return null;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    // A process may end while we look.
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const [, name, rest = ""] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    const fields = rest.split(" "); // from the third one of proc(5)
    if (name === "workerd" && Number(fields[1]) === process.pid) return (Number(fields[11]) + Number(fields[12])) * tick;
  }
  return null;
}
