/** What a person typed, taken apart: `solar "heat pump" -noise`. */
export interface Query {
  /** What is asked for: the query without quotation marks and without what is excluded. This is embedded. */
  readonly wanted: string;
  /** Phrases in quotation marks: each must be in a passage, word for word. */
  readonly phrases: readonly string[];
  /** Words and phrases with a minus before them: none may be in a passage. */
  readonly excluded: readonly string[];
  /** Whether the last word may go on: nothing has been typed behind it. */
  readonly unfinished: boolean;
}

/** A minus counts where a word begins: "state-of-the-art" excludes nothing, and neither does a dash between spaces. */
const signs = /(?<=^|\s)(?<minus>-?)(?:"(?<phrase>[^"]+)"|(?<=-)(?<word>[^\s"]+))/g;

export function parseQuery(text: string): Query {
  const phrases: string[] = [];
  const excluded: string[] = [];
  const plain = text.toWellFormed().replaceAll(/[“”„«»]/g, '"');
  const wanted = plain.replaceAll(signs, (...match) => {
    const { minus, phrase, word } = match.at(-1) as Record<string, string | undefined>; // the named groups come last
    if (minus) excluded.push(phrase ?? word ?? "");
    else phrases.push(phrase ?? "");
    return minus ? " " : ` ${phrase} `;
  });
  return {
    wanted: wanted.replaceAll('"', " ").replaceAll(/\s+/g, " ").trim(),
    phrases,
    excluded,
    unfinished: /[^\s"]$/.test(plain) && !/(?:^|\s)-\S+$/.test(plain),
  };
}
