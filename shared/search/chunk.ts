import { partsOf, type Span } from "../index/spans.ts";

/** A passage of a text: `text === source.slice(start, end)`, in UTF-16 code units. */
export interface Chunk extends Span {
  /** The headings above its start, outermost first; headings inside it are part of its text. */
  readonly headings: readonly string[];
}

export interface ChunkOptions {
  /** Maximum tokens of a chunk. Only a single code point may exceed it. */
  readonly maxTokens: number;
  /**
   * Maximum tokens that a chunk repeats from the end of the previous one, where a paragraph is split: whole sentences, or words of
   * a sentence that is too long. Default 0.
   */
  readonly overlapTokens?: number;
  /** Counts tokens. Must be subadditive: a text never has more tokens than its parts together. Default {@link estimateTokens}. */
  readonly countTokens?: (text: string) => number;
}

/** A piece that fits into a chunk: a sentence, or part of a long one. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
}

/**
 * Splits a text into passages, in order. Every character that is not white space is in at least one; without overlap, in exactly
 * one. Sentences that fit stay whole. A chunk ends with its paragraph when the next one does not fit and the chunk is at least half
 * full, and before a heading when it is at least a quarter full.
 *
 * Headings are Markdown (`# Heading`, or a line underlined with `===` or `---`); readers of other formats write theirs so. Offsets
 * count UTF-16 code units. Surrogate pairs are never split.
 * @throws {RangeError} when `maxTokens` is below 1, or `overlapTokens` not below it
 */
export function chunkText(text: string, { maxTokens, overlapTokens = 0, countTokens = estimateTokens }: ChunkOptions): Chunk[] {
  if (!(maxTokens >= 1)) throw new RangeError(`chunkText: maxTokens must be at least 1, not ${maxTokens}`);
  if (!(overlapTokens >= 0 && overlapTokens < maxTokens)) {
    throw new RangeError(`chunkText: overlapTokens must be from 0 to below ${maxTokens}, not ${overlapTokens}`);
  }
  const chunks: Chunk[] = [];
  /** The headings above the current position, by level; and those above the start of the open chunk. */
  const path: { readonly level: number; readonly text: string }[] = [];
  let headings: readonly string[] = [];
  let pieces: Piece[] = [];
  let tokens = 0;

  const close = () => {
    const [first] = pieces;
    const last = pieces.at(-1);
    if (first && last) {
      const span = text.slice(first.start, last.end);
      const passage = span.trim();
      const start = first.start + span.indexOf(passage);
      const end = start + passage.length;
      // An overlap followed by nothing but white space is not a chunk.
      if (passage && end > (chunks.at(-1)?.end ?? 0)) chunks.push({ text: passage, start, end, headings });
    }
    pieces = [];
    tokens = 0;
    headings = path.map((heading) => heading.text);
  };

  /** Starts the next chunk with the end of the closed one, as far as `next` leaves room. */
  const startWithOverlap = (closed: readonly Piece[], next: Piece) => {
    const room = Math.min(overlapTokens, maxTokens - next.tokens);
    for (const piece of closed.toReversed()) {
      // Starts are strictly ascending.
      if (tokens + piece.tokens > room || piece.start <= (chunks.at(-1)?.start ?? 0)) break;
      pieces.unshift(piece);
      tokens += piece.tokens;
    }
  };

  for (const block of blocksOf(text)) {
    if (block.heading) {
      if (tokens >= maxTokens / 4) close();
      while ((path.at(-1)?.level ?? 0) >= block.heading.level) path.pop();
      if (tokens === 0) headings = path.map((heading) => heading.text);
      path.push(block.heading);
    }
    const waitingPieces = [...piecesWithin(text.slice(block.start, block.end), block.start, maxTokens, countTokens)];
    let waiting = waitingPieces.reduce((sum, piece) => sum + piece.tokens, 0);
    if (tokens >= maxTokens / 2 && tokens + waiting > maxTokens) close();
    // A paragraph that needs several chunks is divided evenly, so that no single sentence is left over.
    const evenShare = () => (tokens + waiting) / Math.ceil((tokens + waiting) / maxTokens);
    let share = evenShare();
    for (const piece of waitingPieces) {
      if (tokens + piece.tokens > maxTokens || tokens + piece.tokens / 2 > share) {
        const ofThisBlock = pieces.filter(({ start }) => start >= block.start);
        close();
        startWithOverlap(ofThisBlock, piece);
        share = evenShare();
      }
      pieces.push(piece);
      tokens += piece.tokens;
      waiting -= piece.tokens;
    }
  }
  close();
  return chunks;
}

/**
 * Estimates the WordPiece tokens of a text, without special tokens, from its characters: 1.1 to 1.5 times the tokens of BERT's
 * uncased vocabulary in English prose, tables and code. With it a text can be split before the tokenizer is loaded.
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

/** A heading or a paragraph, with the blank lines after it. */
interface Block {
  readonly start: number;
  end: number;
  heading: { readonly level: number; readonly text: string } | null;
}

/** Maximum UTF-16 code units of a heading. */
const maxHeadingLength = 160;

/** The blocks of a text, without gaps. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: (Block & { lines: number }) | null = null;
  let fence: string | null = null;
  for (const { 0: line, index } of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    const end = index + line.length;
    const content = line.trim();
    const last = blocks.at(-1);
    if (content === "") {
      // Blank lines belong to the block before them.
      if (last) last.end = end;
      else blocks.push({ start: index, end, heading: null });
      open = null;
      continue;
    }
    const fenceMark: string | undefined = /^(`{3,}|~{3,})/.exec(content)?.[1];
    if (fenceMark && (fence === null || fenceMark.startsWith(fence))) fence = fence === null ? fenceMark : null;
    const mayBeHeading = fence === null && content.length <= maxHeadingLength;
    const [, marks, title] = mayBeHeading ? (/^(#{1,6})\s+(.*?)(?:\s+#+)?$/.exec(content) ?? []) : [];
    if (marks && title) {
      blocks.push({ start: index, end, heading: { level: marks.length, text: title } });
      open = null;
    } else if (mayBeHeading && open?.lines === 1 && open.end - open.start <= maxHeadingLength && /^(=+|-+)$/.test(content)) {
      open.heading = { level: content.startsWith("=") ? 1 : 2, text: text.slice(open.start, open.end).trim() };
      open.end = end;
      open = null;
    } else if (open) {
      open.end = end;
      open.lines += 1;
    } else {
      open = { start: index, end, heading: null, lines: 1 };
      blocks.push(open);
    }
  }
  return blocks;
}

/** From coarse to fine. The last one iterates over code points, which splits a long sequence of combining marks. */
const splits: readonly ((text: string) => Iterable<string>)[] = [
  (text) => partsOf(text, "sentence"),
  (text) => partsOf(text, "word"),
  (text) => partsOf(text, "grapheme"),
  (text) => text,
];

/** The largest parts within the limit. */
function* piecesWithin(
  text: string,
  start: number,
  maxTokens: number,
  countTokens: (text: string) => number,
  [split, ...finer] = splits,
): Iterable<Piece> {
  let from = start;
  for (const part of split?.(text) ?? []) {
    const tokens = countTokens(part);
    if (tokens <= maxTokens || finer.length === 0) yield { start: from, end: from + part.length, tokens };
    else yield* piecesWithin(part, from, maxTokens, countTokens, finer);
    from += part.length;
  }
}
