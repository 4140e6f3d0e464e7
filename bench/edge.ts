import { readdir, readFile } from "node:fs/promises";
import { EdgeBundle, embedAtEdge } from "./edge-isolate.ts";
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

/** `rounds` lives of the isolate in workerd: in each its first answer, and then texts of growing length, one after the other. */
export async function measureEdge(rounds: number, onRound: (round: Round) => void): Promise<Round[]> {
  await using bundle = await EdgeBundle.make();
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const figures = await measureIsolate(bundle);
    onRound(figures);
    measured.push(figures);
  }
  return measured;
}

async function measureIsolate(bundle: EdgeBundle): Promise<Round> {
  await using isolate = await bundle.start();
  const { origin } = isolate;
  const first = await measureTexts(origin, 16, 1);
  // Until the engine has optimized the runtime's code, beside it, on another thread.
  await measureTexts(origin, 128, 20);
  const texts: Round["texts"] = [];
  for (const { tokens, times } of lengths) texts.push(await measureTexts(origin, tokens, times));
  return { first, texts };
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
  const response = await embedAtEdge(url, { inputs: "word ".repeat(tokens - 2) }); // beside [CLS] and [SEP]
  await response.arrayBuffer();
  const computed = Number(response.headers.get("x-compute-tokens"));
  if (computed !== tokens) throw new Error(`/embed computed ${computed} tokens, not ${tokens}`);
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
