import { stemmer } from "stemmer";
import { type Span, wordsOf } from "./spans.ts";

/** A word of a text, and the term it is indexed by. */
export interface Term extends Span {
  /** The word in lower case without accents, as quoted phrases compare it. */
  readonly word: string;
  /** The stem of a word of English letters ("heating", "heats" and "heated" have the same); else the word. */
  readonly term: string;
}

/** UTF-16 code units after which a word is cut. */
const maxTermLength = 64;

/**
 * The terms of a text, in order, with their positions. `Intl.Segmenter` finds the words; in Chinese, Japanese and Thai it uses a
 * dictionary.
 */
export function termsOf(text: string): Term[] {
  return wordsOf(text).map(({ text: written, start, end }) => {
    const { word, term } = normalized(written);
    return { text: written, start, end, word, term };
  });
}

/** Words repeat: about 60 % of a text's words are in this cache. */
const cache = new Map<string, Pick<Term, "word" | "term">>();
const maxCachedTerms = 20_000;

function normalized(written: string): Pick<Term, "word" | "term"> {
  const known = cache.get(written);
  if (known) return known;
  const word = foldText(written).slice(0, maxTermLength).toWellFormed();
  const normal = { word, term: /^[a-z]+$/.test(word) ? stemmer(word) : word };
  if (cache.size >= maxCachedTerms) cache.clear();
  cache.set(written, normal);
  return normal;
}

/** A text in lower case, without accents and compatibility characters. */
export function foldText(text: string): string {
  // Marks of the Latin, Greek and Cyrillic scripts only: in other scripts a mark makes another letter.
  const bare = text.normalize("NFKD").replaceAll(/[\u0300-\u036f]/g, "");
  return bare.normalize("NFC").toLowerCase();
}

// Scripts without spaces between words.
const startsUnspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const endsUnspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]$/u;

/**
 * Makes a test for folded texts (see {@link foldText}) that contain the phrase: the same adjacent words, whatever their accents and the punctuation between them;
 * in scripts without spaces, the same characters.
 */
export function phraseTest(phrase: string): (foldedText: string) => boolean {
  const words = wordsOf(foldText(phrase)).map(({ text }) => text);
  const [first] = words;
  const last = words.at(-1);
  if (first === undefined || last === undefined) return () => false;
  let pattern = startsUnspaced.test(first) ? "" : "(?<![\\p{L}\\p{M}\\p{N}_])";
  for (const [i, word] of words.entries()) {
    const previous = words[i - 1];
    // No alternation: between n words it would cause 2^n backtracking steps.
    if (previous !== undefined)
      pattern += endsUnspaced.test(previous) || startsUnspaced.test(word) ? "[^\\p{L}\\p{N}]*" : "[^\\p{L}\\p{N}]+";
    pattern += word.replaceAll(/[^\p{L}\p{M}\p{N}_]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);
  }
  if (!endsUnspaced.test(last)) pattern += "(?![\\p{L}\\p{M}\\p{N}_])";
  const expression = new RegExp(pattern, "u");
  return (foldedText) => expression.test(foldedText);
}
