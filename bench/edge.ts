import { descendantsCpuMs } from "./cpu-time.ts";
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
  // Until V8 has optimized the code, beside it, on other threads.
  await measureTexts(origin, 128, 20);
  const texts: Round["texts"] = [];
  for (const { tokens, times } of lengths) texts.push(await measureTexts(origin, tokens, times));
  return { first, texts };
}

async function measureTexts(url: string, tokens: number, times: number): Promise<Round["first"]> {
  const milliseconds: number[] = [];
  const before = descendantsCpuMs({ process: "workerd" });
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await embedTokens(url, tokens);
    milliseconds.push(performance.now() - start);
  }
  const after = descendantsCpuMs({ process: "workerd" });
  return { tokens, ms: spreadOf(milliseconds).median, cpuMs: before === null || after === null ? null : (after - before) / times };
}

/** Has an isolate compute a text of so many tokens. */
export async function embedTokens(url: string, tokens: number): Promise<void> {
  const response = await embedAtEdge(url, { inputs: "word ".repeat(tokens - 2) }); // beside [CLS] and [SEP]
  await response.arrayBuffer();
  const computed = Number(response.headers.get("x-compute-tokens"));
  if (computed !== tokens) throw new Error(`/embed computed ${computed} tokens, not ${tokens}`);
}
