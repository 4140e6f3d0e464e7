import type { CallOptions, RelevanceCalibration } from "../encoder/encoder.ts";
import type { SearchMode } from "../index/fusion.ts";
import type { Hit } from "../index/hit.ts";
import type { IndexSearchOptions } from "../index/search-index.ts";
import type { Place } from "../index/spans.ts";
import type { Coverage } from "./embedding-queue.ts";

/** Limits a search to some documents. */
export interface SearchFilter {
  /** Document ids; an id that ends in "/" matches all ids with that prefix. Default all. */
  readonly documents?: readonly string[];
  /** Kinds of documents. Default all. */
  readonly kinds?: readonly string[];
  /** Whether built-in documents are searched too. Default true. */
  readonly builtIn?: boolean;
}

export interface SearchOptions extends CallOptions {
  /** Maximum number of hits. Default 8. */
  readonly limit?: number;
  /** Default `hybrid`. */
  readonly mode?: SearchMode;
  readonly filter?: SearchFilter;
  /** The query's vector, or null for keyword search. Default: the query is embedded when the mode needs it. */
  readonly vector?: Float32Array | null;
  /** Of the model of `vector`. Default: that of the loaded model. */
  readonly calibration?: RelevanceCalibration | null;
}

export interface Answer {
  readonly query: string;
  /** Relevant passages, best first. */
  readonly hits: readonly Hit[];
  /** The mode used: `keyword` when `hybrid` was requested before the model was loaded. */
  readonly mode: SearchMode;
  readonly coverage: Coverage;
  /** ms for embedding the query; null when it was not embedded. */
  readonly embedTime: number | null;
  /** ms for the search without the embedding. */
  readonly scanTime: number;
}

/** The relevance of one passage of a document. */
export interface PassageRelevance extends Place {
  /** Null while the passage has no vector. */
  readonly relevance: number | null;
}

/** The filter as predicates for an index: see `indexDocumentOf`. */
export function indexFilterOf({ documents, kinds, builtIn = true }: SearchFilter): Pick<IndexSearchOptions, "fields" | "ids"> {
  const ofKind = kinds && new Set<unknown>(kinds);
  const named = new Set(documents);
  const folders = documents?.filter((id) => id.endsWith("/")) ?? [];
  return {
    ...((ofKind || !builtIn) && { fields: (fields) => (builtIn || fields.builtIn !== true) && (!ofKind || ofKind.has(fields.kind)) }),
    ...(documents && { ids: (id) => named.has(id) || folders.some((folder) => id.startsWith(folder)) }),
  };
}
