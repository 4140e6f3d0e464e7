import type { TextSet } from "./cranfield.ts";

/** Abstracts that are joined into one long text: some 500 tokens. */
const joined = 2;

/** As many queries as abstracts as long texts, by turns: what a folder of notes is like. Always the same ones. */
export function mixedTexts(queries: readonly string[], abstracts: readonly string[], ofEach: number): TextSet {
  const long = Array.from({ length: ofEach }, (_, i) => abstracts.slice(ofEach + joined * i, ofEach + joined * (i + 1)).join(" "));
  const texts = long.flatMap((text, i) => [queries[i] ?? "", abstracts[i] ?? "", text]);
  return { name: "texts of mixed lengths", texts: texts.filter((text) => text !== "") };
}

/** Texts of so many tokens each, special tokens included. Each begins with another of the `abstracts`, so that none is like another. */
export function textsOfLength(
  tokens: number,
  count: number,
  abstracts: readonly string[],
  countTokens: (texts: readonly string[]) => number,
): string[] {
  const words = abstracts.join(" ").split(/\s+/);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * words.length) / count);
    const text: string[] = [];
    // Words have more tokens than one: the last ones that do not fit make way for one that does.
    for (let next = start; countTokens([text.join(" ")]) < tokens; next++) text.push(words[next % words.length] ?? "");
    if (countTokens([text.join(" ")]) > tokens) text.pop();
    while (countTokens([text.join(" ")]) < tokens) text.push("word");
    return text.join(" ");
  });
}

/**
 * A hundred texts of 4 to 23 words, none of which is measured: what compiles while it runs has compiled, and what takes
 * memory piece by piece has taken it. What the first text costs is measured by itself: see `start`.
 */
export function warmUpTexts(): string[] {
  const words = "a few words so that nothing is done for the first time while it is measured by those who wait".split(" ");
  return Array.from({ length: 100 }, (_, i) =>
    Array.from({ length: 4 + (i % 20) }, (_, place) => words[(i + place * (1 + (i % 7))) % words.length]).join(" "),
  );
}
