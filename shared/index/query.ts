/** A parsed query such as `solar "heat pump" -noise`. */
export interface Query {
  /** The query without quotation marks and exclusions. This text is embedded. */
  readonly text: string;
  /** Quoted phrases: a passage must contain each of them literally. */
  readonly phrases: readonly string[];
  /** Words and phrases after a minus: a passage must contain none of them. */
  readonly excluded: readonly string[];
  /** Whether the last word may be incomplete: no character follows it. */
  readonly unfinished: boolean;
}

/** A minus is an operator at the start of a word only: "state-of-the-art" excludes nothing, nor does a dash between spaces. */
const operators = /(?<=^|\s)(?<minus>-?)(?:"(?<phrase>[^"]+)"|(?<=-)(?<word>[^\s"]+))/g;

export function parseQuery(query: string): Query {
  const phrases: string[] = [];
  const excluded: string[] = [];
  const plain = query.toWellFormed().replaceAll(/[“”„«»]/g, '"');
  const text = plain.replaceAll(operators, (...match) => {
    const { minus, phrase, word } = match.at(-1) as Record<string, string | undefined>; // the named groups come last
    if (minus) excluded.push(phrase ?? word ?? "");
    else phrases.push(phrase ?? "");
    return minus ? " " : ` ${phrase} `;
  });
  return {
    text: text.replaceAll('"', " ").replaceAll(/\s+/g, " ").trim(),
    phrases,
    excluded,
    unfinished: /[^\s"]$/.test(plain) && !/(?:^|\s)-\S+$/.test(plain),
  };
}
