/** Comparison of contenders on the same texts, shared by `encode` and `browser`. */
import { z } from "zod";
import { cosineSimilarity } from "../shared/vector.ts";
import { log, Unavailable } from "./benchmark.ts";
import { environmentSchema } from "./environment.ts";
import { formatEach, formatSpread, rotated, table } from "./statistics.ts";
import { usageSchema } from "./usage.ts";

const measurementSchema = z.object({
  contender: z.string(),
  texts: z.string(),
  round: z.number(),
  ...usageSchema.shape,
  /** Peak memory of the process, loading included; null if the platform does not report it. */
  peakBytes: z.number().nullable(),
  /** Minimum cosine of a vector to the reference's vector in the same round. */
  worstCosine: z.number(),
});

type Measurement = z.infer<typeof measurementSchema>;
type Figures = Omit<Measurement, "contender" | "texts" | "round" | "worstCosine">;

/** @param extra schema of additional figures */
export const comparisonSchema = <Extra extends z.ZodRawShape>(extra: Extra) =>
  z.object({
    environment: environmentSchema,
    rounds: z.number(),
    /** The first contender is the reference. */
    contenders: z.array(z.object({ id: z.string(), label: z.string(), precision: z.enum(["int8", "float32"]).optional() })).min(1),
    textSets: z.array(z.object({ name: z.string(), texts: z.number(), tokens: z.number() })),
    measurements: z.array(measurementSchema.extend(extra)),
    skipped: z.array(z.object({ contender: z.string(), reason: z.string() })),
  });

export interface Contender {
  readonly id: string;
  /** For tables. */
  readonly label: string;
}

/** Runs all contenders in every round, with a rotating start: a machine that slows down affects all equally. */
export async function compare<Each extends Contender, Found extends Figures>({
  contenders,
  textSets,
  rounds,
  measure,
}: {
  readonly contenders: readonly Each[];
  readonly textSets: readonly { readonly name: string; readonly texts: readonly string[] }[];
  readonly rounds: number;
  /** Rejects with {@link Unavailable} to skip a contender. */
  readonly measure: (contender: Each, texts: readonly string[], round: number) => Promise<{ vectors: Float32Array[]; figures: Found }>;
}) {
  const measurements: (Found & Pick<Measurement, "contender" | "texts" | "round" | "worstCosine">)[] = [];
  const skipped = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, texts } of textSets) {
      const measured = new Map<string, { vectors: Float32Array[]; figures: Found }>();
      for (const contender of rotated(contenders, round).filter(({ id }) => !skipped.has(id))) {
        const { id } = contender;
        try {
          const found = await measure(contender, texts, round);
          measured.set(id, found);
          log(`round ${round + 1} of ${rounds}, ${name}, ${id}: ${(texts.length / found.figures.seconds).toFixed(1)} texts/s`);
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error;
          skipped.set(id, error.message);
          log(`${id}: SKIPPED: ${error.message}`);
        }
      }
      const reference = measured.get(contenders[0]?.id ?? "");
      if (!reference) throw new Error("The reference has no vectors to compare with");
      for (const [contender, { vectors, figures }] of measured) {
        const cosines = reference.vectors.map((vector, i) => cosineSimilarity(vector, vectors[i] ?? new Float32Array(vector.length)));
        measurements.push({ ...figures, contender, texts: name, round, worstCosine: Math.min(...cosines) });
      }
    }
  }
  return { rounds, measurements, skipped: Array.from(skipped, ([contender, reason]) => ({ contender, reason })) };
}

type Measured = readonly Pick<Measurement, "contender" | "texts" | "round" | "seconds">[];

/** Ratios of the texts per second of two contenders, in each round with both. */
export function speedRatios(measurements: Measured, texts: string, of: string, over: string): number[] {
  const own = measurements.filter((each) => each.texts === texts && each.contender === of);
  return own.flatMap(({ round, seconds }) => {
    const other = measurements.find((each) => each.texts === texts && each.contender === over && each.round === round);
    return other ? [other.seconds / seconds] : [];
  });
}

interface Compared<Found> extends Omit<z.infer<ReturnType<typeof comparisonSchema>>, "measurements"> {
  readonly measurements: readonly Found[];
}

/** A table for each set of texts. @param columns additional figures by heading */
export function comparisonTables<Found extends Measurement>(
  { contenders, textSets, measurements, skipped, rounds }: Compared<Found>,
  columns: Readonly<Record<string, (each: Found) => number | null>>,
): string[] {
  const reference = contenders[0]?.id ?? "";
  return textSets.map(({ name, texts, tokens }) => {
    const ofSet = measurements.filter((each) => each.texts === name);
    const rows = contenders.map(({ id, label, precision }) => {
      const shownLabel = precision === "float32" ? `${label} (float32)` : label;
      const skip = skipped.find(({ contender }) => contender === id);
      if (skip) return [shownLabel, `skipped: ${skip.reason}`];
      const own = ofSet.filter(({ contender }) => contender === id);
      return [
        shownLabel,
        formatEach(own, ({ seconds }) => texts / seconds, 1),
        formatEach(own, ({ seconds }) => tokens / seconds, 0),
        id === reference ? "" : `${formatSpread(speedRatios(ofSet, name, reference, id), 2)} ×`,
        formatEach(own, ({ cpuSeconds }) => (cpuSeconds * 1e3) / texts, 1),
        formatEach(own, ({ peakBytes }) => peakBytes && peakBytes / 1e6, 0),
        ...Object.values(columns).map((figure) => formatEach(own, figure, 1)),
        id === reference ? "" : Math.min(...own.map(({ worstCosine }) => worstCosine)).toFixed(4),
      ];
    });
    const usual = ["texts/s", "tokens/s", "speed of the first against it", "CPU ms per text", "peak memory, MB"];
    const head = ["", ...usual, ...Object.keys(columns), "worst cosine"];
    const busy = formatEach(ofSet, ({ coresElsewhere }) => coresElsewhere, 1);
    const caption = `**${texts} ${name}**, ${tokens.toLocaleString("en")} tokens, ${rounds} rounds; other processes kept ${busy} cores busy.`;
    return `${caption}\n\n${table(head, rows)}`;
  });
}
