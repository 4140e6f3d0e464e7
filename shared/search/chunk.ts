/** A passage of a text: `text === source.slice(start, end)`. */
export interface Chunk {
  readonly text: string;
  /** Offset of its first UTF-16 code unit in the source. */
  readonly start: number;
  /** Offset behind its last one. */
  readonly end: number;
}

export interface ChunkOptions {
  /** The most tokens in a chunk. A single code point may exceed it: there is nothing left to cut. */
  readonly maxTokens: number;
  /** Counts the tokens of a piece of text. Two pieces must never count less than both in one. Default {@link estimateTokens}. */
  readonly countTokens?: (text: string) => number;
}

/**
 * Cuts a text into passages for search, in order and without overlap, so that every character that is not white space
 * lies in exactly one. Sentences stay whole where they fit. A chunk ends with its paragraph when the next one would not
 * fit and the chunk is at least half full: a heading is not left alone.
 *
 * Offsets count UTF-16 code units, as JavaScript's strings do; no surrogate pair is ever split.
 * @throws {RangeError} when `maxTokens` is below 1
 */
export function chunkText(text: string, { maxTokens, countTokens = estimateTokens }: ChunkOptions): Chunk[] {
  if (!(maxTokens >= 1)) throw new RangeError(`chunkText: maxTokens must be at least 1, not ${maxTokens}`);
  const chunks: Chunk[] = [];
  let start = 0;
  let end = 0;
  let tokens = 0;

  const close = () => {
    const span = text.slice(start, end);
    const passage = span.trim();
    const from = start + span.indexOf(passage);
    if (passage) chunks.push({ text: passage, start: from, end: from + passage.length });
    start = end;
    tokens = 0;
  };

  for (const paragraph of paragraphs(text)) {
    const pieces = [...piecesWithin(paragraph, maxTokens, countTokens)];
    let waiting = pieces.reduce((sum, piece) => sum + piece.tokens, 0);
    if (tokens >= maxTokens / 2 && tokens + waiting > maxTokens) close();
    // What needs several chunks is shared out evenly, so that no stray sentence is left at the paragraph's end.
    const evenShare = () => (tokens + waiting) / Math.ceil((tokens + waiting) / maxTokens);
    let share = evenShare();
    for (const piece of pieces) {
      if (tokens + piece.tokens > maxTokens || tokens + piece.tokens / 2 > share) {
        close();
        share = evenShare();
      }
      end += piece.length;
      tokens += piece.tokens;
      waiting -= piece.tokens;
    }
  }
  close();
  return chunks;
}

/**
 * About how many WordPiece tokens a text has, without special tokens, from its characters alone: in English prose,
 * tables and code 1.1 to 1.5 times what BERT's uncased vocabulary makes of it. It is for passages far shorter than the
 * model's limit, so that a text can be cut before the model's tokenizer is there.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  for (const [piece] of text.matchAll(/[\p{Script=Latin}\p{M}]+|\p{N}+|\S/gu)) {
    if (/^\p{Script=Latin}/u.test(piece)) tokens += Math.ceil(piece.length / 4);
    else if (/^\p{N}/u.test(piece)) tokens += Math.ceil(piece.length / 2);
    else tokens += 1;
  }
  return tokens;
}

/** Splits a text so that the parts, joined, are the text again. */
type Split = (text: string) => Iterable<string>;

const paragraphs: Split = function* (text) {
  let start = 0;
  for (const { 0: blankLines, index } of text.matchAll(/\n(?:[^\S\n]*\n)+/g)) {
    yield text.slice(start, index + blankLines.length);
    start = index + blankLines.length;
  }
  yield text.slice(start);
};

const segments = (granularity: "sentence" | "word" | "grapheme"): Split => {
  const segmenter = new Intl.Segmenter("en", { granularity });
  return function* (text) {
    for (const { segment } of segmenter.segment(text)) yield segment;
  };
};

/** From coarse to fine. The last one, the iterator of strings, gives code points: what splits a pile of combining marks. */
const splits: readonly Split[] = [segments("sentence"), segments("word"), segments("grapheme"), (text) => text];

/** Lengths (UTF-16 code units) and tokens of the largest parts that keep to the limit. */
function* piecesWithin(
  text: string,
  maxTokens: number,
  countTokens: (text: string) => number,
  [split, ...finer]: readonly Split[] = splits,
): Iterable<{ readonly length: number; readonly tokens: number }> {
  for (const part of split?.(text) ?? []) {
    const tokens = countTokens(part);
    if (tokens <= maxTokens || finer.length === 0) yield { length: part.length, tokens };
    else yield* piecesWithin(part, maxTokens, countTokens, finer);
  }
}
