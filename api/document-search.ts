import type { SearchRequest, SearchResponse } from "../shared/contract.ts";
import type { CallOptions, RelevanceCalibration } from "../shared/encoder/encoder.ts";
import type { SearchEngine } from "../shared/search/search-engine.ts";

/** Searches the documents of `POST /search`. */
export interface DocumentSearch {
  /**
   * Rejects with `index_unavailable` while the index is not loaded, with `overloaded` when too many searches are queued, with `timeout`,
   * with the errors of `Encoder.embed`, and with the signal's reason on abort.
   */
  search(request: SearchRequest, options: CallOptions): Promise<SearchResponse>;
}

/** A query that another thread has embedded. */
export interface EmbeddedQuery {
  readonly vector: Float32Array;
  /** Of the model; null if it has none. */
  readonly calibration: RelevanceCalibration | null;
}

/**
 * Runs a `POST /search` request on a search engine. Rejects with the errors of `SearchEngine.search`.
 * @param embedded the query's vector, and the calibration of its model; null for keyword search. Default: the engine embeds the query
 */
export async function searchDocuments(
  engine: SearchEngine,
  { query, limit, min_relevance, mode, filter: { documents, kinds } }: SearchRequest,
  { embedded, signal }: CallOptions & { readonly embedded?: EmbeddedQuery | null } = {},
): Promise<SearchResponse> {
  const answer = await engine.search(query, {
    limit,
    mode,
    filter: { ...(documents && { documents }), ...(kinds && { kinds }) },
    ...(embedded !== undefined && { vector: null, ...embedded }),
    ...(signal && { signal }),
  });
  const hits = answer.hits.filter(({ relevance }) => min_relevance === 0 || (relevance ?? 0) >= min_relevance);
  return { mode: answer.mode, hits };
}
