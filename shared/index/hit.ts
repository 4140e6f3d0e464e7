import type { DocumentRecord, Segment } from "./segment.ts";
import type { Place } from "./spans.ts";
import { termsOf } from "./terms.ts";

/** How well a passage answers a query. */
export type Strength = "strong" | "good" | "weak";

/** A passage that answers a query, and its document. */
export interface Hit extends DocumentRecord {
  /** `weak` for a low relevance, unless the passage has all words of the query. */
  readonly strength: Strength;
  /** Cosine of query and passage; null if one of them has no vector. */
  readonly cosine: number | null;
  /** 0 to 1, from the cosine; null if it is. */
  readonly relevance: number | null;
  readonly passage: Place & {
    readonly text: string;
    readonly headings: readonly string[];
    /** Where words of the query occur, in the text of the document. */
    readonly marks: readonly Place[];
  };
}

interface Match {
  readonly strength: Strength;
  readonly cosine: number | null;
  readonly relevance: number | null;
  /** Words of the segment that the query stands for. */
  readonly words: ReadonlySet<string>;
}

/** Reads a passage, and marks the words of the query in it. */
export function hitOf(segment: Segment, passage: number, { strength, cosine, relevance, words }: Match): Hit {
  const document = segment.document(segment.passageDocuments[passage] ?? 0);
  const { start, end, headings } = segment.passage(passage);
  const text = segment.passageText(passage);
  const marks = termsOf(text)
    .filter(({ word }) => words.has(word))
    .map((mark) => ({ start: start + mark.start, end: start + mark.end }));
  return { ...document, strength, cosine, relevance, passage: { text, start, end, headings, marks } };
}
