import { open } from "node:fs/promises";
import { z } from "zod";
import { cosineSimilarity } from "../../shared/vector.ts";

const recordSchema = z.object({
  /** Line number of the input, from 1. */
  line: z.number().int().min(1),
  /** Id of the input line, if any. */
  id: z.union([z.string(), z.number()]).optional(),
  /** Tokens computed, after truncation. */
  tokens: z.number().int(),
  /** Tokens removed at the model's limit. */
  truncated: z.number().int(),
  embedding: z.array(z.number()),
});

/** A line of the output. */
export type Record = z.infer<typeof recordSchema>;

/** Formats a record. Nine digits identify every float32 and take half the space of a double's seventeen. */
export function formatRecord({ embedding, ...rest }: Omit<Record, "embedding"> & { embedding: Float32Array }): string {
  return `${JSON.stringify({ ...rest, embedding: Array.from(embedding, (component) => Number(component.toPrecision(9))) })}\n`;
}

/** Whether two records have the same line, model and options. Vectors may differ by rounding, because processors differ. */
export function isSameRecord(a: Record, b: Record): boolean {
  const { embedding: vectorA, ...restA } = a;
  const { embedding: vectorB, ...restB } = b;
  return (
    JSON.stringify(restA) === JSON.stringify(restB) &&
    vectorA.length === vectorB.length &&
    cosineSimilarity(Float32Array.from(vectorA), Float32Array.from(vectorB)) > 0.999
  );
}

/** Parses an output line; null if it is invalid. */
export function parseRecord(line: string): Record | null {
  try {
    return recordSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** An interrupted output: its last complete line and the bytes up to that line's end. */
export interface Beginning {
  readonly lastLine: string;
  readonly bytes: number;
}

/** Returns null if the file does not exist or has no complete line. Reads only the end of the file. Rejects with file system errors. */
export async function readBeginning(path: string): Promise<Beginning | null> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (!file) return null;
  try {
    let tail = Buffer.alloc(0);
    for (let start = (await file.stat()).size; ; ) {
      const end = tail.lastIndexOf("\n");
      const before = end > 0 ? tail.lastIndexOf("\n", end - 1) : -1;
      if (end !== -1 && (before !== -1 || start === 0)) {
        return { lastLine: tail.toString("utf8", before + 1, end), bytes: start + end + 1 };
      }
      if (start === 0) return null;
      const length = Math.min(64 * 1024, start);
      start -= length;
      const block = Buffer.alloc(length);
      await file.read(block, 0, length, start);
      tail = Buffer.concat([block, tail]);
    }
  } finally {
    await file.close();
  }
}
