import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright/test";
import { z } from "zod";
import { decodeVector } from "../../shared/vector.ts";

/** A random BERT of two layers, 32 wide, in the files of a hub's repository. */
export const tinyBert = fileURLToPath(new URL("../fixtures/tiny-bert", import.meta.url));

const expectedSchema = z.object({
  rows: z.array(z.object({ inputType: z.enum(["passage", "query"]), text: z.string(), vector: z.base64() })),
});

/** Texts whose vectors by this model are known. */
export const knownTexts = expectedSchema
  .parse(JSON.parse(await readFile(`${tinyBert}/expected.json`, "utf8")))
  .rows.map(({ vector, ...row }) => ({ ...row, vector: [...decodeVector(vector)] }));

/** The vectors of those texts by the pool that the page has opened. */
export function vectorsInPage(page: Page): Promise<number[][]> {
  return page.evaluate(
    async (texts) => {
      const pool = window.opened?.pool;
      if (!pool) throw new Error("The page has opened no pool");
      const embedded = await Promise.all(texts.map(({ inputType, text }) => pool.embed(text, { inputType })));
      return embedded.map(({ vectors }) => [...(vectors[0] ?? [])]);
    },
    knownTexts.map(({ inputType, text }) => ({ inputType, text })),
  );
}

/** Opens the model in the page, and tells what it told. */
export function openPool(page: Page, options: Omit<Parameters<Window["openPool"]>[0], "onDevice" | "signal">) {
  return page.evaluate(
    async (given) => {
      try {
        const { pool, choices, progress, kept } = await window.openPool(given);
        return {
          failure: null,
          model: pool.info().model,
          device: pool.info().device,
          choices: [...choices],
          progress: [...progress],
          kept,
        };
      } catch (error) {
        if (!(error instanceof Error && "code" in error)) throw error;
        return { failure: { code: error.code, message: error.message } };
      }
    },
    options as Pick<typeof options, "model"> & { hubUrl: string },
  );
}
