import { createEncoder } from "../api/encoder.ts";
import { finishVector } from "../shared/encoder/encoder.ts";
import type { Collection } from "./cranfield.ts";

/** How many dimensions are tried: all that the model has, and fewer. */
const tried = [384, 256, 192, 128, 64, 32];

/** How many of the documents found are looked at. */
const depth = 10;

/** How well a collection is searched with vectors that are cut, as `dimensions` of a request cuts them. */
export async function measureDimensions({ documents, queries, judgments }: Collection): Promise<{ dimensions: number; ndcg: number }[]> {
  const encoder = createEncoder({});
  const { vectors: ofDocuments } = await encoder.embed(documents);
  const { vectors: ofQueries } = await encoder.embed(queries, { kind: "query" });
  await encoder.dispose();
  return tried.map((dimensions) => {
    const cut = (vector: Float32Array<ArrayBuffer>) => finishVector(vector.slice(), dimensions, true);
    const cutDocuments = ofDocuments.map(cut);
    const scores = Array.from(judgments, ([query, relevant]) => {
      const asked = cut(ofQueries[query] ?? new Float32Array(dimensions));
      const cosines = cutDocuments.map((vector) => dot(asked, vector));
      const ranking = Array.from(cosines.keys()).sort((a, b) => (cosines[b] ?? 0) - (cosines[a] ?? 0));
      return normalizedGain(ranking, relevant);
    });
    return { dimensions, ndcg: scores.reduce((sum, score) => sum + score, 0) / scores.length };
  });
}

/** nDCG at `depth`, with a gain of 2^relevance - 1. */
function normalizedGain(ranking: readonly number[], relevant: ReadonlyMap<number, number>): number {
  const discounted = (relevances: readonly number[]) =>
    relevances.slice(0, depth).reduce((sum, relevance, rank) => sum + (2 ** relevance - 1) / Math.log2(rank + 2), 0);
  const best = Array.from(relevant.values()).sort((a, b) => b - a);
  return discounted(ranking.map((document) => relevant.get(document) ?? 0)) / discounted(best);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, component, i) => sum + component * (b[i] ?? 0), 0);
}
