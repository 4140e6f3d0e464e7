/** The longest title, in UTF-16 code units: it is embedded with every passage. */
const longestTitle = 80;

/** A title on one line, shortened at a word's end. */
export function shortTitle(title: string): string {
  // What is far too long is not looked at as a whole.
  const line = title
    .slice(0, 20 * longestTitle)
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= longestTitle
    ? line
    : `${line
        .slice(0, longestTitle)
        .replace(/\s+\S*$/, "")
        .toWellFormed()} …`;
}

/** What a text calls itself: the first line that has a letter or a digit, without Markdown's sign of a heading. */
export function titleOf(text: string): string {
  const line = /^.*[\p{L}\p{N}].*$/mu.exec(text)?.[0] ?? text.trim();
  return shortTitle(line.replace(/^\s*#{1,6}\s+/, ""));
}

/** The title in the block of settings that some programs put before a text, else its first heading. Blank when it has neither. */
export function titleOfMarkdown(text: string): string {
  const settings = /^---\s*\n([\s\S]*?\n)---\s*$/m.exec(text);
  const named = settings?.index === 0 ? /^title:\s*(?:"(.+)"|'(.+)'|(.+))\s*$/m.exec(settings[1] ?? "") : null;
  if (named) return named[1] ?? named[2] ?? named[3] ?? "";
  // In a block of code `#` begins a comment.
  const [beforeCode = ""] = text.slice(0, 100_000).split(/^\s*(?:```|~~~)/m, 1);
  return /^#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/m.exec(beforeCode)?.[1] ?? "";
}
