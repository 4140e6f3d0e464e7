import { createEncoder } from "../api/node/encoder.ts";
import { finishVector } from "../shared/vector.ts";
import { dotProduct } from "../shared/search/vector-index.ts";
import { type Collection, normalizedGain } from "./cranfield.ts";

/** How many dimensions are tried: all that the model has, and fewer. */
const tried = [384, 256, 192, 128, 64, 32];

/** How well a collection is searched with vectors that are cut, as `dimensions` of a request cuts them. */
export async function measureDimensions({ documents, queries, judgments }: Collection): Promise<{ dimensions: number; ndcg: number }[]> {
  const encoder = createEncoder({});
  const { vectors: ofDocuments } = await encoder.embed(documents.map(({ title, text }) => `${title} ${text}`.trim()));
  const { vectors: ofQueries } = await encoder.embed(
    queries.map(({ text }) => text),
    { inputType: "query" },
  );
  await encoder.dispose();
  return tried.map((dimensions) => {
    const cut = (vector: Float32Array<ArrayBuffer>) => finishVector(vector.slice(), dimensions, true);
    const cutDocuments = ofDocuments.map(cut);
    const scores = Array.from(judgments, ([query, relevant]) => {
      const asked = cut(ofQueries[query - 1] ?? new Float32Array(dimensions));
      const cosines = cutDocuments.map((vector) => dotProduct(asked, vector));
      const ranking = Array.from(cosines.keys()).sort((a, b) => (cosines[b] ?? 0) - (cosines[a] ?? 0));
      return normalizedGain(
        ranking.map((place) => place + 1),
        relevant,
      );
    });
    return { dimensions, ndcg: scores.reduce((sum, score) => sum + score, 0) / scores.length };
  });
}
