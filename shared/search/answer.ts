import type { CallOptions } from "../encoder/encoder.ts";
import type { Coverage } from "./embedding-queue.ts";
import type { SearchMode } from "./fusion.ts";
import type { LexicalMatch } from "./lexical-index.ts";
import type { Document } from "./library.ts";
import type { Entry, Passage } from "./passages.ts";
import { weakRelevance } from "./relevance.ts";
import type { Span } from "./segments.ts";
import { termsOf } from "./terms.ts";

/** Which documents are searched. */
export interface SearchFilter {
  /** Ids; what ends in "/" stands for all ids that begin with it. Default all. */
  readonly documents?: readonly string[];
  /** Kinds of documents. Default all. */
  readonly kinds?: readonly string[];
  /** Whether documents that came with the page are searched too. Default true. */
  readonly builtIn?: boolean;
}

export interface SearchOptions extends CallOptions {
  /** The most results. Default 8. */
  readonly limit?: number;
  /** Default `hybrid`. */
  readonly mode?: SearchMode;
  readonly filter?: SearchFilter;
}

/** From `start` up to `end` of a document's text, in UTF-16 code units. */
export type Place = Pick<Span, "start" | "end">;

export interface SearchResult {
  readonly document: Omit<Document, "text"> & {
    /** UTF-16 code units of its text. */
    readonly length: number;
  };
  readonly passage: Passage["chunk"];
  /** Cosine between query and passage; null where it was found by words and there is no vector (yet). */
  readonly cosine: number | null;
  /** 0 to 1: see `relevanceOf`. Null with the cosine. */
  readonly relevance: number | null;
  /** Whether it hardly matches: not in meaning, and not in all words. */
  readonly weak: boolean;
  /** Where words of the query stand in it. */
  readonly words: readonly Place[];
}

export interface Answer {
  readonly query: string;
  /** Best first; only what is at all relevant. */
  readonly results: readonly SearchResult[];
  /** What it was found by: `keyword` where `hybrid` was asked for and the model is not there yet. */
  readonly mode: SearchMode;
  readonly coverage: Coverage;
  /** ms for the query's vector; null when none was made. */
  readonly embedTime: number | null;
  /** ms for the search itself. */
  readonly scanTime: number;
}

/** How near the query each passage of a document is, in order. */
export interface PassageRelevance extends Place {
  /** Null while it has no vector. */
  readonly relevance: number | null;
}

export type Nearness = Pick<SearchResult, "cosine" | "relevance">;

/** A passage as it is shown: with what of the query is in it. */
export function resultOf({ entry, chunk }: Passage, nearness: Nearness, match: LexicalMatch | undefined): SearchResult {
  const { id, title, kind, text } = entry.document;
  const found = new Set(match?.terms);
  const words = termsOf(chunk.text).filter(({ term }) => found.has(term));
  return {
    document: { id, title, kind, length: text.length },
    passage: chunk,
    ...nearness,
    weak: !(match?.share === 1 || (nearness.relevance ?? 0) >= weakRelevance),
    words: words.map(({ start, end }) => ({ start: chunk.start + start, end: chunk.start + end })),
  };
}

/** Which documents a filter lets through. */
export function filterTest({ documents, kinds, builtIn = true }: SearchFilter): (entry: Entry) => boolean {
  const named = new Set(documents);
  const folders = documents?.filter((id) => id.endsWith("/")) ?? [];
  const ofKind = kinds && new Set(kinds);
  return ({ document: { id, kind }, builtIn: isBuiltIn }) =>
    (builtIn || !isBuiltIn) &&
    (!documents || named.has(id) || folders.some((folder) => id.startsWith(folder))) &&
    (!ofKind || ofKind.has(kind));
}
