import type { Token } from "./tokenizer.ts";

/**
 * Tokens as columns, for the way between a worker and its pool: cloning thousands of small objects would block the receiving thread for
 * longer than tokenizing blocks the worker.
 */
export interface TokenColumns {
  readonly ids: Int32Array;
  /** 1 for special tokens. */
  readonly special: Uint8Array;
  /** -1 where the position is unknown. */
  readonly starts: Int32Array;
  readonly stops: Int32Array;
  /** The tokens' texts, one after the other, and the length of each in UTF-16 units. */
  readonly text: string;
  readonly lengths: Int32Array;
}

export function packTokens(tokens: readonly Token[]): TokenColumns {
  return {
    ids: Int32Array.from(tokens, ({ id }) => id),
    special: Uint8Array.from(tokens, ({ special }) => Number(special)),
    starts: Int32Array.from(tokens, ({ start }) => start ?? -1),
    stops: Int32Array.from(tokens, ({ stop }) => stop ?? -1),
    text: tokens.map(({ text }) => text).join(""),
    lengths: Int32Array.from(tokens, ({ text }) => text.length),
  };
}

export function unpackTokens({ ids, special, starts, stops, text, lengths }: TokenColumns): Token[] {
  const known = (position: number | undefined) => (position === undefined || position < 0 ? null : position);
  let offset = 0;
  return Array.from(ids, (id, i): Token => {
    const end = offset + (lengths[i] ?? 0);
    const own = text.slice(offset, end);
    offset = end;
    return { id, text: own, special: special[i] === 1, start: known(starts[i]), stop: known(stops[i]) };
  });
}
