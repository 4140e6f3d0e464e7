import type { Tokenizer as WordPieces } from "@huggingface/tokenizers";

/** A part of a text, in code points. `stop` is exclusive. */
interface Span {
  readonly start: number;
  readonly stop: number;
}

interface LocatedToken extends Span {
  readonly token: string;
}

/** Returns the spans of tokens in their text; null if they cannot be determined. */
export type LocateTokens = (text: string, tokens: readonly string[]) => Span[] | null;

/**
 * Locates tokens in a text, since the JavaScript tokenizer returns tokens without offsets. The locator repeats tokenization with the
 * tokenizer's own parts (normalizer, word splitter, vocabulary) and tracks the source of every normalized character.
 *
 * Normalization may drop a character (control characters, accents), expand it (a Hangul syllable to its letters, whose tokens then share
 * its span) or surround it with spaces (Chinese characters). The locator returns null if the tokens differ from those of the tokenizer, or
 * if a text does not normalize to as many characters as its parts. It also returns null for tokenizers other than WordPiece.
 *
 * @param tokenizer its `tokenize` returns the tokens to locate, without special tokens
 * @example
 * const locate = tokenLocator(tokenizer);
 * locate("High tide", tokenizer.tokenize("High tide")); // [{ start: 0, stop: 4 }, { start: 5, stop: 9 }]
 */
export function tokenLocator(tokenizer: WordPieces): LocateTokens {
  const { model } = tokenizer;
  // `instanceof` fails for transformers.js, which bundles its own copy of the package.
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
  /** Prefix of a token that continues a word. */
  readonly prefix: string;
}

/** Adds the tokens of a section without literals. False if the section does not normalize character by character. */
function locateWords(
  { tokenizer, model, prefix }: WordPieceTokenizer,
  characters: readonly string[],
  offset: number,
  located: LocatedToken[],
): boolean {
  const normalize = (text: string) => tokenizer.normalizer?.normalize(text) ?? text;
  const normalized = normalize(characters.join(""));
  /** The source character of every UTF-16 unit of `normalized`. */
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
      // A word outside the vocabulary is one unknown token of any length.
      const length = pieces.length === 1 ? word.length : token.length - (continues ? prefix.length : 0);
      located.push({ token, ...spanOf(from, from + length) });
      from += length;
    }
    if (from !== cursor) return false;
  }
  return true;
}

/** Matches and captures tokens that the tokenizer recognizes before normalization, such as "[MASK]". */
function literalPattern(tokenizer: WordPieces): RegExp {
  const literals = Array.from(tokenizer.get_added_tokens_decoder().values())
    .filter(({ normalized, content }) => !normalized && content !== "")
    .map(({ content }) => content)
    // Longest first: a regular expression takes the first alternative that matches.
    .sort((a, b) => b.length - a.length)
    .map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(literals.length > 0 ? `(${literals.join("|")})` : "(?!)", "u");
}
