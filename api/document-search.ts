import type { SearchRequest, SearchResponse } from "../shared/contract.ts";
import type { CallOptions } from "../shared/encoder/encoder.ts";
import type { SearchEngine } from "../shared/search/search-engine.ts";

/** Searches the documents of `POST /search`. */
export interface DocumentSearch {
  /**
   * Rejects with `index_unavailable` while the index is not loaded, with `overloaded` when too many searches are queued, with `timeout`,
   * with the errors of `Encoder.embed`, and with the signal's reason on abort.
   */
  search(request: SearchRequest, options: CallOptions): Promise<SearchResponse>;
}

/**
 * Runs a `POST /search` request on a search engine. Rejects with the errors of `SearchEngine.search`.
 * @param vector query vector; null for keyword search. Default: the engine embeds the query
 */
export async function searchDocuments(
  engine: SearchEngine,
  { query, limit, min_relevance, mode, filter: { documents, kinds } }: SearchRequest,
  { vector, signal }: CallOptions & { readonly vector?: Float32Array | null } = {},
): Promise<SearchResponse> {
  const answer = await engine.search(query, {
    limit,
    mode,
    filter: { ...(documents && { documents }), ...(kinds && { kinds }) },
    ...(vector !== undefined && { vector }),
    ...(signal && { signal }),
  });
  const hits = answer.hits.filter(({ relevance }) => min_relevance === 0 || (relevance ?? 0) >= min_relevance);
  return { mode: answer.mode, hits };
}
