import { open } from "node:fs/promises";
import { z } from "zod";
import { cosineSimilarity } from "../../shared/vector.ts";

const recordSchema = z.object({
  /** The input's line, from 1. */
  line: z.number().int().min(1),
  /** The input's, where it has one. */
  id: z.union([z.string(), z.number()]).optional(),
  /** Tokens computed, after any cut. */
  tokens: z.number().int(),
  /** Tokens cut off at the model's limit. */
  truncated: z.number().int(),
  embedding: z.array(z.number()),
});

/** A line of the output. */
export type Record = z.infer<typeof recordSchema>;

/** Components with the nine digits that tell any two float32 apart: half the size of a double's seventeen. */
export function formatRecord({ embedding, ...rest }: Omit<Record, "embedding"> & { embedding: Float32Array }): string {
  return `${JSON.stringify({ ...rest, embedding: Array.from(embedding, (component) => Number(component.toPrecision(9))) })}\n`;
}

/** Whether both are the same line's record by the same model and options; another processor may round differently. */
export function isSameRecord(a: Record, b: Record): boolean {
  const { embedding: vectorA, ...restA } = a;
  const { embedding: vectorB, ...restB } = b;
  return (
    JSON.stringify(restA) === JSON.stringify(restB) &&
    vectorA.length === vectorB.length &&
    cosineSimilarity(Float32Array.from(vectorA), Float32Array.from(vectorB)) > 0.999
  );
}

/** Null for what is not a line of the output. */
export function parseRecord(line: string): Record | null {
  try {
    return recordSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** The end of an output that was begun: its last whole line, and the bytes up to that line's end. */
export interface Beginning {
  readonly lastLine: string;
  readonly bytes: number;
}

/** Null when the file is not there or has no whole line. Reads no more of it than its end. */
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
