import type { Tokenizer as WordPieces } from "@huggingface/tokenizers";

/** A part of a text, in code points: from `start` up to `stop`, which is behind it. */
interface Span {
  readonly start: number;
  readonly stop: number;
}

interface LocatedToken extends Span {
  readonly token: string;
}

/** Where the tokens of a text stand in it; null where that cannot be told. */
export type LocateTokens = (text: string, tokens: readonly string[]) => Span[] | null;

/**
 * The JavaScript tokenizer says which tokens a text has, but not where. This goes its way once more with its own parts
 * (normalizer, word splitter, vocabulary), and remembers of every normalized character which one it came from.
 *
 * A character may be dropped (control characters, accents), may become several (a Hangul syllable its letters, whose
 * tokens then share its span), or be set between spaces (Chinese characters). What the result rests on is checked for
 * each text, and null given in its place: that it has the same tokens as the tokenizer gave, and that a text normalizes
 * to as many characters as its parts do. Only WordPiece writes its tokens so that they can be found again: a tokenizer
 * of another kind gets null.
 *
 * @param tokenizer its `tokenize` gives the tokens that are to be located, special ones left out
 */
export function tokenLocator(tokenizer: WordPieces): LocateTokens {
  const { model } = tokenizer;
  // Not `instanceof`: transformers.js carries a copy of the package, with classes of its own.
  if (model?.config.type !== "WordPiece") return () => null;
  const literals = literalPattern(tokenizer);
  const wordPieces = { tokenizer, model, prefix: model.config.continuing_subword_prefix ?? "" };

  return (text, tokens) => {
    const located: LocatedToken[] = [];
    let start = 0;
    // Odd sections are the literals that the pattern captured.
    for (const [index, section] of text.split(literals).entries()) {
      const characters = Array.from(section);
      if (index % 2 === 1) located.push({ token: section, start, stop: start + characters.length });
      else if (!locateWords(wordPieces, characters, start, located)) return null;
      start += characters.length;
    }
    const same = located.length === tokens.length && located.every(({ token }, index) => token === tokens[index]);
    return same ? located.map(({ start, stop }) => ({ start, stop })) : null;
  };
}

interface WordPieceTokenizer {
  readonly tokenizer: WordPieces;
  readonly model: NonNullable<WordPieces["model"]>;
  /** What a token begins with that goes on with a word. */
  readonly prefix: string;
}

/** Adds the tokens of a stretch of text without literals. False when it does not normalize character by character. */
function locateWords(
  { tokenizer, model, prefix }: WordPieceTokenizer,
  characters: readonly string[],
  offset: number,
  located: LocatedToken[],
): boolean {
  const normalize = (text: string) => tokenizer.normalizer?.normalize(text) ?? text;
  const normalized = normalize(characters.join(""));
  /** For every UTF-16 unit of `normalized` the character that it came from. */
  const sources = characters.flatMap((character, index) => new Array<number>(normalize(character).length).fill(offset + index));
  if (sources.length !== normalized.length) return false;
  const spanOf = (from: number, to: number): Span => ({ start: sources[from] ?? offset, stop: (sources[to - 1] ?? offset) + 1 });

  let cursor = 0;
  for (const word of tokenizer.pre_tokenizer?.pre_tokenize(normalized) ?? [normalized]) {
    let from = normalized.indexOf(word, cursor);
    if (from < 0) return false;
    cursor = from + word.length;
    const pieces = model.encode([word]);
    for (const token of pieces) {
      const continues = from > cursor - word.length && token.startsWith(prefix);
      // A word that the vocabulary cannot spell is one unknown token, however long.
      const length = pieces.length === 1 ? word.length : token.length - (continues ? prefix.length : 0);
      located.push({ token, ...spanOf(from, from + length) });
      from += length;
    }
    if (from !== cursor) return false;
  }
  return true;
}

/** Matches and captures what the tokenizer takes for one token before it normalizes: "[MASK]" and its like. */
function literalPattern(tokenizer: WordPieces): RegExp {
  const literals = Array.from(tokenizer.get_added_tokens_decoder().values())
    .filter(({ normalized, content }) => !normalized && content !== "")
    .map(({ content }) => content)
    // The longest wins where several begin at one place.
    .sort((a, b) => b.length - a.length)
    .map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(literals.length > 0 ? `(${literals.join("|")})` : "(?!)", "u");
}
