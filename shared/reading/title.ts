/** Maximum length of a title, in UTF-16 code units: it is embedded with every passage. */
const maxTitle = 80;

/** UTF-16 code units of a long line that are examined. */
const maxExamined = 2000;

/** Puts a title on one line and shortens it at a word boundary. */
export function shortTitle(title: string): string {
  const line = title.slice(0, maxExamined).replace(/\s+/g, " ").trim();
  return line.length <= maxTitle
    ? line
    : `${line
        .slice(0, maxTitle)
        .replace(/\s+\S*$/, "")
        .toWellFormed()} …`;
}

/** The first line with a letter or digit, without the markers of a Markdown heading. */
export function titleOf(text: string): string {
  const trimmed = text.trimStart();
  const letter = Math.max(0, trimmed.search(/[\p{L}\p{N}]/u));
  const start = trimmed.lastIndexOf("\n", letter) + 1;
  return shortTitle(withoutMarkers(lineAt(trimmed, start)));
}

/** The title in the front matter, or else the first heading. Blank if there is neither. */
export function titleOfMarkdown(text: string): string {
  const frontMatter = /^---[ \t]*\r?\n([\s\S]*?)\n---[ \t]*(?:\r?\n|$)/.exec(text)?.[1];
  const named = /^title:[ \t]*(\S.*)$/m.exec(frontMatter ?? "")?.[1]?.trim();
  if (named) return /^(["']).*\1$/.test(named) ? named.slice(1, -1) : named;
  // In a code block, `#` starts a comment.
  const code = text.search(/^[ \t]*(?:```|~~~)/m);
  const heading = text.slice(0, code === -1 ? text.length : code).search(/^#{1,6}[ \t]+\S/m);
  return heading === -1 ? "" : withoutMarkers(lineAt(text, heading));
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\n", start);
  return text.slice(start, Math.min(end === -1 ? text.length : end, start + maxExamined));
}

const withoutMarkers = (line: string) => line.replace(/^\s*#{1,6}\s+/, "").replace(/\s+#+\s*$/, "");
