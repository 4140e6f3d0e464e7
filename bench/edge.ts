/** Latency and cost of a text in an edge isolate: workerd with the bundle of `wrangler deploy`. */
import { z } from "zod";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { EdgeBundle, embedTokens } from "./edge-isolate.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import { figuresOf, formatEach, formatSpread, spreadOf, table } from "./statistics.ts";
import { descendantsCpuMs } from "./usage.ts";

const textsSchema = z.object({
  /** Tokens of each text, special tokens included. */
  tokens: z.number(),
  /** Median time from the request to the last byte of the response. */
  ms: z.number(),
  /** Processor time of workerd per text; null if the platform does not report it. */
  cpuMs: z.number().nullable(),
});

const schema = z.object({
  environment: environmentSchema,
  /** `first`: the first text of a new isolate, which includes loading the model. */
  rounds: z.array(z.object({ first: textsSchema, texts: z.array(textsSchema) })).min(1),
});

type Texts = z.infer<typeof textsSchema>;

const lengths = [
  { tokens: 16, times: 20 },
  { tokens: 64, times: 20 },
  { tokens: 128, times: 10 },
  { tokens: 256, times: 6 },
  { tokens: 512, times: 4 },
];

async function measure({ command, rounds: count, quick }: Plan): Promise<z.infer<typeof schema>> {
  await using bundle = await EdgeBundle.make();
  const rounds: z.infer<typeof schema>["rounds"] = [];
  for (let round = 0; round < count; round++) {
    await using isolate = await bundle.start();
    const first = await measureTexts(isolate.origin, 16, 1);
    // V8 optimizes the code during these calls, on other threads.
    await measureTexts(isolate.origin, 128, quick ? 2 : 20);
    const texts: Texts[] = [];
    for (const { tokens, times } of lengths) texts.push(await measureTexts(isolate.origin, tokens, quick ? 1 : times));
    rounds.push({ first, texts });
    log(`round ${round + 1} of ${count}: first answer after ${first.ms.toFixed(0)} ms`);
  }
  return { environment: await describeEnvironment(command, ["wrangler"]), rounds };
}

async function measureTexts(origin: string, tokens: number, times: number): Promise<Texts> {
  const milliseconds: number[] = [];
  const before = descendantsCpuMs({ process: "workerd" });
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await embedTokens(origin, tokens);
    milliseconds.push(performance.now() - start);
  }
  const after = descendantsCpuMs({ process: "workerd" });
  return { tokens, ms: spreadOf(milliseconds).median, cpuMs: before === null || after === null ? null : (after - before) / times };
}

/** Prices in US dollars beyond the paid plan, by Cloudflare's documentation (Workers: Pricing; Workers AI: Pricing) on 2026-11-21. */
const prices = { millionCpuMs: 0.02, millionRequests: 0.3, workersAI: 0.02 };

export const edge = defineBenchmark({
  name: "edge",
  schema,
  measure,
  report({ rounds }) {
    const firsts = rounds.map(({ first }) => first.ms);
    const ofLength = (tokens: number) => rounds.flatMap(({ texts }) => texts.filter((each) => each.tokens === tokens));
    const shortTexts = figuresOf(ofLength(16), ({ ms }) => ms);
    const inMs = { digits: 0, unit: "ms" };
    const rows = (rounds[0]?.texts ?? []).map(({ tokens }) => {
      const own = ofLength(tokens);
      const dollars = ({ cpuMs }: Texts, requests: number) =>
        cpuMs && (cpuMs * prices.millionCpuMs + requests * prices.millionRequests) / tokens;
      return [
        String(tokens),
        formatEach(own, ({ ms }) => ms, 0),
        formatEach(own, ({ cpuMs }) => cpuMs, 0),
        formatEach(own, (texts) => dollars(texts, 0), 3),
        formatEach(own, (texts) => dollars(texts, 1), 3),
      ];
    });
    const cpuOfFirst = formatEach(rounds, ({ first }) => first.cpuMs, 0);
    return {
      title: "At the edge",
      sections: [
        `${rounds.length} rounds, each in a workerd of its own. The first answer of a fresh isolate, of 16 tokens, took ${formatSpread(firsts, 0)} ms, of which ${cpuOfFirst} ms CPU time.`,
        table(["tokens", "ms", "CPU ms", "$ per million tokens, CPU time", "with a request for each text"], rows),
        `Cloudflare's prices of 2026-11-21: $${prices.millionCpuMs} for a million ms of CPU time and $${prices.millionRequests} for a million requests. Workers AI costs $${prices.workersAI} for a million input tokens of the same model. The CPU time is this machine's, not Cloudflare's.`,
      ],
      claims: [
        ...claimThat("A fresh edge isolate gives its first answer within 0.6 s", firsts, { most: 600, ...inMs }),
        ...claimThat("… and then a text of 16 tokens within 30 ms", shortTexts, { most: 30, ...inMs }),
      ],
      headlines: [["First answer of a fresh edge isolate, model included", `${formatSpread(firsts, 0)} ms`]],
    };
  },
});
