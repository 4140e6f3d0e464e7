import { partsOf, type Span } from "./segments.ts";

/** A passage of a text: `text === source.slice(start, end)`, in UTF-16 code units. */
export interface Chunk extends Span {
  /** The headings under which it begins, outermost first; those within it are part of its text. */
  readonly headings: readonly string[];
}

export interface ChunkOptions {
  /** The most tokens in a chunk. A single code point may exceed it: there is nothing left to cut. */
  readonly maxTokens: number;
  /**
   * The most tokens that a chunk takes over from the end of the one before it, where a paragraph is cut: in whole
   * sentences, so that what refers to the one before it can be understood, or words of one that is too long. Default 0.
   */
  readonly overlapTokens?: number;
  /** Counts the tokens of a piece of text. Two pieces must never count less than both in one. Default {@link estimateTokens}. */
  readonly countTokens?: (text: string) => number;
}

/** A piece that fits into a chunk: a sentence, or a part of one that is too long. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
}

/**
 * Cuts a text into passages for search, in order, so that every character that is not white space lies in at least one;
 * without overlap, in exactly one. Sentences stay whole where they fit. A chunk ends with its paragraph when the next one
 * would not fit and the chunk is at least half full, and before a heading when it is at least a quarter full.
 *
 * Headings are Markdown's (`# Heading`, or a line underlined with `===` or `---`): texts made of other formats mark theirs so.
 * Offsets count UTF-16 code units, as JavaScript's strings do; no surrogate pair is ever split.
 * @throws {RangeError} when `maxTokens` is below 1, or `overlapTokens` not below it
 */
export function chunkText(text: string, { maxTokens, overlapTokens = 0, countTokens = estimateTokens }: ChunkOptions): Chunk[] {
  if (!(maxTokens >= 1)) throw new RangeError(`chunkText: maxTokens must be at least 1, not ${maxTokens}`);
  if (!(overlapTokens >= 0 && overlapTokens < maxTokens)) {
    throw new RangeError(`chunkText: overlapTokens must be from 0 to below ${maxTokens}, not ${overlapTokens}`);
  }
  const chunks: Chunk[] = [];
  /** The headings that hold where the scan is, by level; what the chunk being filled began under. */
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
      // What was taken over from the chunk before, with nothing but white space behind it, is no chunk of its own.
      if (passage && end > (chunks.at(-1)?.end ?? 0)) chunks.push({ text: passage, start, end, headings });
    }
    pieces = [];
    tokens = 0;
    headings = path.map((heading) => heading.text);
  };

  /** Begins the next chunk with the end of the one that was just closed, as far as `next` leaves room for it. */
  const takeOver = (closed: readonly Piece[], next: Piece) => {
    const room = Math.min(overlapTokens, maxTokens - next.tokens);
    for (const piece of closed.toReversed()) {
      // Every chunk begins later than the one before it.
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
    // What needs several chunks is shared out evenly, so that no stray sentence is left at the paragraph's end.
    const evenShare = () => (tokens + waiting) / Math.ceil((tokens + waiting) / maxTokens);
    let share = evenShare();
    for (const piece of waitingPieces) {
      if (tokens + piece.tokens > maxTokens || tokens + piece.tokens / 2 > share) {
        const ofThisBlock = pieces.filter(({ start }) => start >= block.start);
        close();
        takeOver(ofThisBlock, piece);
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

/** A heading or a paragraph, with the blank lines behind it. */
interface Block {
  readonly start: number;
  end: number;
  heading: { readonly level: number; readonly text: string } | null;
}

/** The longest line that is taken for a heading, in UTF-16 code units. */
const longestHeading = 160;

/** The blocks of a text: without gaps, from its beginning to its end. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: (Block & { lines: number }) | null = null;
  let fence: string | null = null;
  for (const { 0: line, index } of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    const end = index + line.length;
    const content = line.trim();
    const last = blocks.at(-1);
    if (content === "") {
      // Blank lines belong to what they follow.
      if (last) last.end = end;
      else blocks.push({ start: index, end, heading: null });
      open = null;
      continue;
    }
    const fenceMark: string | undefined = /^(`{3,}|~{3,})/.exec(content)?.[1];
    if (fenceMark && (fence === null || fenceMark.startsWith(fence))) fence = fence === null ? fenceMark : null;
    const mayBeHeading = fence === null && content.length <= longestHeading;
    const [, marks, title] = mayBeHeading ? (/^(#{1,6})\s+(.*?)(?:\s+#+)?$/.exec(content) ?? []) : [];
    if (marks && title) {
      blocks.push({ start: index, end, heading: { level: marks.length, text: title } });
      open = null;
    } else if (mayBeHeading && open?.lines === 1 && open.end - open.start <= longestHeading && /^(=+|-+)$/.test(content)) {
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

/** From coarse to fine. The last one, the iterator of strings, gives code points: what splits a pile of combining marks. */
const splits: readonly ((text: string) => Iterable<string>)[] = [
  (text) => partsOf(text, "sentence"),
  (text) => partsOf(text, "word"),
  (text) => partsOf(text, "grapheme"),
  (text) => text,
];

/** The largest parts that keep to the limit. */
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
