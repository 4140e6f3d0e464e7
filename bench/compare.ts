import { cosineSimilarity } from "../shared/vector.ts";
import { type AnyContender, ContenderProcess, type ContenderSources } from "./contender-process.ts";
import type { TextSet } from "./cranfield.ts";
import type { EncodeAnswer } from "./encode-child.ts";
import type { Comparison, Measurement } from "./results.ts";
import { rotated } from "./statistics.ts";

export interface CompareOptions extends ContenderSources {
  /** The first is the reference. */
  readonly contenders: readonly AnyContender[];
  readonly textSets: readonly TextSet[];
  readonly rounds: number;
  readonly onProgress: (line: string) => void;
}

export type Measured = Extract<EncodeAnswer, { outcome: "measured" }>;

/**
 * Measures contenders against each other, one at a time, each time in a fresh process. In every round each takes its
 * turn, and each round begins with another one, so that a machine that grows busy or hot hits all of them alike.
 */
export async function compare({ contenders, textSets, rounds, onProgress, ...sources }: CompareOptions) {
  const measurements: Measurement[] = [];
  const skipped = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, texts } of textSets) {
      const measured = new Map<string, Measured>();
      for (const contender of rotated(contenders, round)) {
        const { id } = contender;
        if (skipped.has(id)) continue;
        await using process = new ContenderProcess(contender, sources);
        const answer = await process.embed(texts);
        if (answer.outcome === "unavailable") {
          skipped.set(id, answer.reason);
          onProgress(`${id}: SKIPPED: ${answer.reason}`);
          continue;
        }
        measured.set(id, answer);
        onProgress(`round ${round + 1} of ${rounds}, ${name}, ${id}: ${(texts.length / answer.seconds).toFixed(1)} texts/s`);
      }
      measurements.push(...measurementsOf(measured, contenders, { texts: name, round }));
    }
  }
  const reasons = Array.from(skipped, ([contender, reason]) => ({ contender, reason }));
  return { rounds, measurements, skipped: reasons } satisfies Partial<Comparison>;
}

/** What was measured of the same texts in the same round, with the vectors compared to those of the first contender. */
export function measurementsOf(
  measured: ReadonlyMap<string, Measured>,
  contenders: readonly AnyContender[],
  of: { texts: string; round: number },
): Measurement[] {
  const reference = measured.get(contenders[0]?.id ?? "");
  if (!reference) throw new Error("The reference, to which the others are compared, gave no vectors");
  return Array.from(measured, ([contender, { vectors, ...figures }]) => {
    const { outcome: _, ...kept } = figures;
    const cosines = reference.vectors.map((vector, i) => cosineSimilarity(vector, vectors[i] ?? new Float32Array(vector.length)));
    return { contender, ...of, ...kept, worstCosine: Math.min(...cosines) };
  });
}
