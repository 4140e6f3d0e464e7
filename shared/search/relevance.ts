/**
 * How much a cosine means. The cosines of bge-small lie in a narrow band, 0.35 to 0.8, and where in it depends on the
 * query: to "hello" every text is near. So a passage is judged by how far it rises above the query's background, its
 * mean cosine with a fixed cohort of unrelated passages (the built-in documents): what speaker verification calls
 * cohort normalization.
 *
 * The logistic curve is fitted to 42 queries that one of the built-in documents answers and 21 that none does
 * (tests/fixtures/relevance.json, and a test holds it). Above 0.5 it leaves 76 % of the answers, and nothing for 86 % of
 * the other queries. Cosines alone tell the two apart worse: the area under the ROC curve is 0.83, with the background
 * taken off 0.88.
 */
const center = 0.155;
const slope = 42;

/** The mean background of those queries: for an index that comes without the built-in documents. */
export const usualBackground = 0.45;

/** Below this relevance a match is called weak. */
export const weakRelevance = 0.5;

/** Below this relevance a match is not shown. */
export const leastRelevance = 0.1;

/** The relevance of a passage, 0 to 1, from its cosine with the query and the query's background. */
export function relevanceOf(cosine: number, background: number): number {
  return 1 / (1 + Math.exp(-slope * (cosine - background - center)));
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
