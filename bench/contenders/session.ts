import { fileURLToPath } from "node:url";
import { createSessionEncoder } from "../../shared/encoder/encoder.ts";
import { openNodeModel } from "../../shared/encoder/sessions/node.ts";
import { modelDirectory } from "../environment.ts";
import type { Embed } from "./contender.ts";

/** What one worker of the pool holds, without the worker; handed one text at a time, as the pool does it. */
export async function openSession(): Promise<Embed> {
  const encoder = createSessionEncoder(openNodeModel(fileURLToPath(modelDirectory)));
  await encoder.load();
  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (const text of texts) vectors.push(...(await encoder.embed(text)).vectors);
    return vectors;
  };
}
