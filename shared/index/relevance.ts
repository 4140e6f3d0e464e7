import type { RelevanceCalibration } from "../encoder/encoder.ts";

/** Matches below this relevance are weak. */
export const weakRelevance = 0.5;

/** Matches of at least this relevance are strong. */
export const strongRelevance = 0.8;

/** Matches below this relevance are dropped. */
export const minRelevance = 0.1;

/** The relevance of a passage, 0 to 1, from its cosine with a query. */
export type RelevanceOf = (cosine: number) => number;

/**
 * Maps the cosines of a query to relevances. The cosines of a model lie in a narrow band (0.35 to 0.8 for bge-small), whose position
 * depends on the query: every text is close to "hello". The relevance therefore depends on the difference between the cosine and the
 * query's background, its mean cosine with a fixed cohort of unrelated passages. Speaker verification calls this cohort normalization.
 * For bge-small it raises the area under the ROC curve from 0.83 to 0.88.
 * @param background of the query. Default: the model's mean
 */
export function relevanceCurve({ center, slope, background: mean }: RelevanceCalibration, background: number = mean): RelevanceOf {
  return (cosine) => 1 / (1 + Math.exp(-slope * (cosine - background - center)));
}

/** The mean of the vectors: a query's dot product with it is the query's background. Throws `RangeError` for none. */
export function centroidOf(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  if (!first) throw new RangeError("centroidOf: there are no vectors");
  const centroid = new Float32Array(first.length);
  for (const vector of vectors) {
    for (const [i, component] of vector.entries()) centroid[i] = (centroid[i] ?? 0) + component / vectors.length;
  }
  return centroid;
}
