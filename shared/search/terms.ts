import { stemmer } from "stemmer";
import { type Span, wordsOf } from "./segments.ts";

/** A word of a text, and what it is found by. */
export interface Term extends Span {
  /** The word in lower case and without accents: what a phrase in quotation marks compares. */
  readonly word: string;
  /** The word's stem, where it is one of English letters: "heating", "heats" and "heated" are one term. */
  readonly term: string;
}

/** The longest term, in UTF-16 code units: what is longer is no word that anybody types. */
const longestTerm = 64;

/**
 * The terms of a text, in order, with where they stand. Words are those of `Intl.Segmenter`, which finds them in Chinese,
 * Japanese and Thai by dictionary.
 */
export function termsOf(text: string): Term[] {
  return wordsOf(text).map((span) => ({ ...span, ...normalized(span.text) }));
}

/** Words repeat themselves: of a thousand in a text some six hundred have been seen just before. */
const seen = new Map<string, Pick<Term, "word" | "term">>();
const mostSeen = 20_000;

function normalized(written: string): Pick<Term, "word" | "term"> {
  const known = seen.get(written);
  if (known) return known;
  const word = folded(written).slice(0, longestTerm).toWellFormed();
  const normal = { word, term: /^[a-z]+$/.test(word) ? stemmer(word) : word };
  if (seen.size >= mostSeen) seen.clear();
  seen.set(written, normal);
  return normal;
}

/** A text in lower case, without accents and in the plain forms of its characters. */
function folded(text: string): string {
  // Combining marks of the Latin, Greek and Cyrillic scripts: others change the letter that they stand on.
  const bare = text.normalize("NFKD").replaceAll(/[\u0300-\u036f]/g, "");
  return bare.normalize("NFC").toLowerCase();
}

// Scripts without spaces between words.
const startsUnspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const endsUnspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]$/u;

/**
 * Tests whether a text has the phrase: the same words next to each other, whatever stands between them and however they
 * are accented. In scripts without spaces, the same characters.
 */
export function phraseTest(phrase: string): (text: string) => boolean {
  const words = wordsOf(folded(phrase)).map(({ text }) => text);
  const [first] = words;
  const last = words.at(-1);
  if (first === undefined || last === undefined) return () => false;
  let pattern = startsUnspaced.test(first) ? "" : "(?<![\\p{L}\\p{M}\\p{N}_])";
  for (const [i, word] of words.entries()) {
    const previous = words[i - 1];
    // Without an alternative: between two words a regular expression that has one tries 2^n ways where n words match.
    if (previous !== undefined)
      pattern += endsUnspaced.test(previous) || startsUnspaced.test(word) ? "[^\\p{L}\\p{N}]*" : "[^\\p{L}\\p{N}]+";
    pattern += word.replaceAll(/[^\p{L}\p{M}\p{N}_]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);
  }
  if (!endsUnspaced.test(last)) pattern += "(?![\\p{L}\\p{M}\\p{N}_])";
  const expression = new RegExp(pattern, "u");
  return (text) => expression.test(folded(text));
}
