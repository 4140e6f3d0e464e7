import { readFile } from "node:fs/promises";
import { z } from "zod";
import { decodeVector } from "../shared/vector.ts";

const goldenSchema = z.object({
  rows: z.array(
    z
      .object({
        inputType: z.enum(["query", "passage"]),
        text: z.string(),
        vector: z.string().transform(decodeVector),
        token_ids: z.array(z.int()),
      })
      .transform(({ token_ids, ...row }) => ({ ...row, tokens: token_ids.length })),
  ),
});

/** A text, and what the published model gives for it in float32. */
export type GoldenRow = z.infer<typeof goldenSchema>["rows"][number];

/** The texts that the tests hold every device to. */
export async function goldenRows(): Promise<GoldenRow[]> {
  const file = await readFile(new URL("../../tests/fixtures/golden.json", import.meta.url), "utf8");
  return goldenSchema.parse(JSON.parse(file)).rows;
}
