import { type CompareOptions, type Measured, measurementsOf } from "./compare.ts";
import { ContenderProcess } from "./contender-process.ts";
import type { Measurement } from "./results.ts";
import { rotated } from "./statistics.ts";

/**
 * How what contenders take grows. In every round each takes its turn in a fresh process, which embeds one set after the
 * other: a point costs no start of its own.
 */
export async function measureGrowth({ contenders, textSets, rounds, onProgress, ...sources }: CompareOptions) {
  const measurements: Measurement[] = [];
  const skipped = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    const measured = new Map(textSets.map(({ name }) => [name, new Map<string, Measured>()]));
    for (const contender of rotated(contenders, round)) {
      if (skipped.has(contender.id)) continue;
      await using process = new ContenderProcess(contender, sources);
      for (const { name, texts } of textSets) {
        const answer = await process.embed(texts);
        if (answer.outcome === "unavailable") {
          skipped.set(contender.id, answer.reason);
          onProgress(`${contender.id}: SKIPPED: ${answer.reason}`);
          break;
        }
        measured.get(name)?.set(contender.id, answer);
      }
      if (!skipped.has(contender.id)) onProgress(`round ${round + 1} of ${rounds}, growth, ${contender.id}`);
    }
    for (const [texts, answers] of measured) measurements.push(...measurementsOf(answers, contenders, { texts, round }));
  }
  const reasons = Array.from(skipped, ([contender, reason]) => ({ contender, reason }));
  return { rounds, measurements, skipped: reasons };
}
