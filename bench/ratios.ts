/** Regression check of ratios between parts of the product: `npm run bench -- --check`. Ratios depend little on the load of the machine. */
import { z } from "zod";
import { defineBenchmark, log, type Plan } from "./benchmark.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import { type Ratio, withRatios } from "./ratio-list.ts";
import { readResult } from "./results.ts";
import { formatSpread, spreadOf, table } from "./statistics.ts";

const schema = z.object({
  environment: environmentSchema,
  /** Values of each round, by id. Higher is better. */
  ratios: z.array(z.object({ id: z.string(), says: z.string(), rounds: z.array(z.number()).min(1) })),
});

async function measure({ command, rounds }: Plan): Promise<z.infer<typeof schema>> {
  const ratios = await withRatios(async (all) => {
    const found = all.map((ratio) => ({ ratio, rounds: [] as number[] }));
    for (let round = 0; round < rounds; round++) {
      for (const each of found) each.rounds.push(await measureOnce(each.ratio, round));
    }
    return found.map(({ ratio: { id, says }, rounds }) => ({ id, says, rounds }));
  });
  return { environment: await describeEnvironment(command, ["onnxruntime-node"]), ratios };
}

/** Maximum rounds. A ratio must pass in one of them, since a busy machine may disturb some. */
const mostRounds = 6;

/** Whether every ratio reaches its stored value, less the tolerance, in one round. Throws if a ratio has no stored value. */
export async function nothingGotWorse(): Promise<boolean> {
  const result = await readResult("ratios");
  if (!result) throw new Error("No ratios are kept for this model: npm run bench -- ratios");
  const kept = new Map(schema.parse(result).ratios.map(({ id, rounds }) => [id, spreadOf(rounds).median]));
  const worse = await withRatios(async (all) => {
    let suspects = all.map((ratio) => {
      const before = kept.get(ratio.id);
      if (before === undefined) throw new Error(`bench/results/ratios.json has no ${ratio.id}: npm run bench -- ratios`);
      return { ratio, before, least: before * ratio.room, best: 0 };
    });
    for (let round = 0; round < mostRounds && suspects.length > 0; round++) {
      for (const suspect of suspects) suspect.best = Math.max(suspect.best, await measureOnce(suspect.ratio, round));
      suspects = suspects.filter(({ best, least }) => !(best >= least));
    }
    return suspects;
  });
  const lines = worse.map(({ ratio: { id, says }, before, least, best }) => {
    const [found, was, required] = [best, before, least].map((figure) => figure.toFixed(2));
    return `${id}: ${says}: ${found}, the best of ${mostRounds} rounds; it was ${was}, and ${required} is required`;
  });
  console.log(lines.length === 0 ? "No ratio got worse." : `Worse than before:\n${lines.join("\n")}`);
  return lines.length === 0;
}

async function measureOnce(ratio: Ratio, round: number): Promise<number> {
  const found = await ratio.measure(round);
  log(`round ${round + 1}: ${ratio.says}: ${found.toFixed(2)}`);
  return found;
}

export const ratios = defineBenchmark({
  name: "ratios",
  schema,
  measure,
  report({ ratios }) {
    const rows = ratios.map(({ says, rounds }) => [says, formatSpread(rounds, 2)]);
    return { title: "Ratios that a change is held to", sections: [table(["ratio", "measured"], rows)] };
  },
});
