import { readResult } from "./kept-results.ts";
import { type Ratio, Ratios } from "./ratios.ts";
import type { RatiosResult } from "./ratios-schema.ts";
import { spreadOf } from "./statistics.ts";

type OnProgress = (line: string) => void;

/** Every ratio in every round, each round in turn, so that a machine that grows busy hits all of them alike. */
export async function measureRatios(rounds: number, onProgress: OnProgress): Promise<RatiosResult["ratios"]> {
  await using opened = await Ratios.open();
  const found = opened.all.map(({ id, says }) => ({ id, says, rounds: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, ratio] of opened.all.entries()) found[i]?.rounds.push(await measure(ratio, round, onProgress));
  }
  return found;
}

/** Whether every ratio is as good as the one that is kept. Prints those that are not. Throws where none are kept. */
export async function nothingGotWorse(onProgress: OnProgress): Promise<boolean> {
  const kept = await readResult("ratios");
  if (!kept) throw new Error("No ratios are kept for this model: npm run bench -- ratios");
  const worse = await whatGotWorse(kept, onProgress);
  console.log(worse.length === 0 ? "No ratio got worse." : `What got worse:\n${worse.join("\n")}`);
  return worse.length === 0;
}

/** Rounds that a ratio has to show once that it is as good as it was: a busy machine spoils one, hardly all. */
const mostRounds = 6;

/**
 * Compares ratios with those that were kept. Each is measured until it is good enough once, so that noise cannot make
 * it worse than it is.
 * @returns a line for each that got worse; none when all is well
 */
async function whatGotWorse({ ratios }: RatiosResult, onProgress: OnProgress): Promise<string[]> {
  await using opened = await Ratios.open();
  const kept = new Map(ratios.map(({ id, rounds }) => [id, spreadOf(rounds).median]));
  const best = new Map<string, number>();
  const least = ({ id, room }: Ratio) => {
    const before = kept.get(id);
    // Without a figure the check would pass whatever it is.
    if (before === undefined) throw new Error(`bench/results/ratios.json has no figure for ${id}: npm run bench -- ratios`);
    return before * room;
  };
  let suspects = opened.all;
  for (let round = 0; round < mostRounds && suspects.length > 0; round++) {
    for (const ratio of suspects) {
      best.set(ratio.id, Math.max(best.get(ratio.id) ?? 0, await measure(ratio, round, onProgress)));
    }
    suspects = suspects.filter((ratio) => !((best.get(ratio.id) ?? 0) >= least(ratio)));
  }
  return suspects.map((ratio) => {
    const [now, before] = [best.get(ratio.id) ?? 0, kept.get(ratio.id) ?? 0];
    return `${ratio.id}: ${ratio.says}: ${now.toFixed(2)} at best of ${mostRounds} rounds, where it was ${before.toFixed(2)} and at least ${least(ratio).toFixed(2)} is asked for`;
  });
}

async function measure(ratio: Ratio, round: number, onProgress: OnProgress): Promise<number> {
  const found = await ratio.measure(round);
  onProgress(`round ${round + 1}: ${ratio.says}: ${found.toFixed(2)}`);
  return found;
}
