/** The longest title, in UTF-16 code units: it is embedded with every passage. */
const longestTitle = 80;

/** Of a line that is far too long, so much is looked at. */
const longestBeginning = 2000;

/** A title on one line, shortened at a word's end. */
export function shortTitle(title: string): string {
  const line = title.slice(0, longestBeginning).replace(/\s+/g, " ").trim();
  return line.length <= longestTitle
    ? line
    : `${line
        .slice(0, longestTitle)
        .replace(/\s+\S*$/, "")
        .toWellFormed()} …`;
}

/** What a text calls itself: the first line that has a letter or a digit, without Markdown's signs of a heading. */
export function titleOf(text: string): string {
  const trimmed = text.trimStart();
  const letter = Math.max(0, trimmed.search(/[\p{L}\p{N}]/u));
  const start = trimmed.lastIndexOf("\n", letter) + 1;
  return shortTitle(withoutMarks(lineAt(trimmed, start)));
}

/** The title in the settings with which some texts begin, else the first heading. Blank when there is neither. */
export function titleOfMarkdown(text: string): string {
  const settings = /^---[ \t]*\r?\n([\s\S]*?)\n---[ \t]*(?:\r?\n|$)/.exec(text)?.[1];
  const named = /^title:[ \t]*(\S.*)$/m.exec(settings ?? "")?.[1]?.trim();
  if (named) return /^(["']).*\1$/.test(named) ? named.slice(1, -1) : named;
  // In a block of code `#` begins a comment.
  const code = text.search(/^[ \t]*(?:```|~~~)/m);
  const heading = text.slice(0, code === -1 ? text.length : code).search(/^#{1,6}[ \t]+\S/m);
  return heading === -1 ? "" : withoutMarks(lineAt(text, heading));
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\n", start);
  return text.slice(start, Math.min(end === -1 ? text.length : end, start + longestBeginning));
}

const withoutMarks = (line: string) => line.replace(/^\s*#{1,6}\s+/, "").replace(/\s+#+\s*$/, "");
