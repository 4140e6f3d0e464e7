/** A stretch of a text: `text === source.slice(start, end)`, in UTF-16 code units. */
export interface Span {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A range of a text, from `start` up to `end`, in UTF-16 code units. */
export type Place = Pick<Span, "start" | "end">;

type Granularity = "sentence" | "word" | "grapheme";

/** The locale hardly matters: every locale uses the same dictionaries for Chinese and Japanese. */
const segmenters: { readonly [granularity in Granularity]: Intl.Segmenter } = {
  sentence: new Intl.Segmenter("en", { granularity: "sentence" }),
  word: new Intl.Segmenter("en", { granularity: "word" }),
  grapheme: new Intl.Segmenter("en", { granularity: "grapheme" }),
};

/** Splits a text into parts whose concatenation is the text. */
export function* partsOf(text: string, granularity: Granularity): Iterable<string> {
  for (const { segment } of segmenters[granularity].segment(text)) yield segment;
}

/** The sentences of a text, trimmed. */
export function sentencesOf(text: string): Span[] {
  return spansOf(text, "sentence").flatMap(({ text: sentence, start }) => {
    const trimmed = sentence.trim();
    const from = start + sentence.indexOf(trimmed);
    return trimmed ? [{ text: trimmed, start: from, end: from + trimmed.length }] : [];
  });
}

/** The words of a text, without what separates them. */
export function wordsOf(text: string): Span[] {
  return latinText.test(text) ? Array.from(text.matchAll(latinWord), spanOfMatch) : spansOf(text, "word");
}

/** A text of the Latin-1 letters and the punctuation of English only. */
const latinText = /^[\t\n\r\x20-\x7EÀ-ÖØ-öø-ÿ‘’“”–—…]*$/;

/**
 * The words of such a text, as `Intl.Segmenter` finds them, in a tenth of its time: letters, digits and underscores, joined by a sign
 * between two letters or two digits (UAX #29, rules WB5 to WB13). A single underscore is no word.
 */
const latinWord =
  /(?:[A-Za-zÀ-ÖØ-öø-ÿ0-9]|_(?=[A-Za-zÀ-ÖØ-öø-ÿ0-9_]))[A-Za-zÀ-ÖØ-öø-ÿ0-9_]*(?:(?:(?<=[A-Za-zÀ-ÖØ-öø-ÿ])[.:'‘’](?=[A-Za-zÀ-ÖØ-öø-ÿ])|(?<=[0-9])[.,;'‘’](?=[0-9]))[A-Za-zÀ-ÖØ-öø-ÿ0-9_]+)*/g;

const spanOfMatch = ({ 0: text, index }: RegExpExecArray): Span => ({ text, start: index, end: index + text.length });

function spansOf(text: string, granularity: Granularity): Span[] {
  const spans: Span[] = [];
  for (const { segment, index, isWordLike } of segmenters[granularity].segment(text)) {
    // Defined for the granularity "word" only.
    if (isWordLike !== false) spans.push({ text: segment, start: index, end: index + segment.length });
  }
  return spans;
}
