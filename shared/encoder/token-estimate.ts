/** Maximum UTF-16 units of a text whose words are counted. Longer texts are estimated by their length. */
const countedCharacters = 256;

/** `[CLS]` and `[SEP]`. */
const specialTokens = 2;

/**
 * Estimates the tokens of a text. Exact counts need the tokenizer, which runs in the workers. Short texts are estimated by their words and
 * punctuation, so that texts of equal length are computed together; long texts at four characters per token.
 */
export function estimateTokens(text: string): number {
  if (text.length > countedCharacters) return Math.ceil(text.length / 4);
  return specialTokens + countWords(text);
}

/** Counts words, punctuation marks, and characters of East Asian scripts, each of which is one token. */
function countWords(text: string): number {
  let count = 0;
  let inWord = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isSpace = code <= 32;
    const isAlone = (code < 128 && !isLetterOrDigit(code)) || code >= 0x2e80;
    if (!isSpace && (isAlone || !inWord)) count += 1;
    inWord = !isSpace && !isAlone;
  }
  return count;
}

const isLetterOrDigit = (code: number) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
