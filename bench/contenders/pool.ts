import { setTimeout as sleep } from "node:timers/promises";
import { createEncoder } from "../../api/node/encoder.ts";
import type { Embed } from "./contender.ts";

/** The product: `createEncoder`, all texts in one call. Ready when every worker is, not just the first. */
export async function openPool(workers: number): Promise<Embed> {
  const encoder = createEncoder({ workers });
  await encoder.load();
  while (encoder.info().workers.ready < workers) await sleep(5);
  return async (texts) => (await encoder.embed(texts)).vectors;
}
