import { EdgeBundle, embedAtEdge } from "../edge-isolate.ts";
import type { MeasuredDevice } from "./device.ts";

/** Texts of a request, none over 512 tokens: all the tokens that the edge takes in one. */
const textsPerRequest = 16;

/** The Worker in workerd, asked through its API. */
export async function openEdge(): Promise<MeasuredDevice> {
  const bundle = await EdgeBundle.make();
  const isolate = await bundle.start();
  return {
    async embed(texts, kind) {
      const vectors: Float32Array[] = [];
      for (let start = 0; start < texts.length; start += textsPerRequest) {
        const inputs = texts.slice(start, start + textsPerRequest);
        const rows = (await (await embedAtEdge(isolate.origin, { inputs, prompt_name: kind })).json()) as number[][];
        vectors.push(...rows.map((row) => Float32Array.from(row)));
      }
      return vectors;
    },
    async [Symbol.asyncDispose]() {
      await isolate[Symbol.asyncDispose]();
      await bundle[Symbol.asyncDispose]();
    },
  };
}
