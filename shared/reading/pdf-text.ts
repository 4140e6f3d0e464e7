import { Paragraphs } from "./paragraphs.ts";
import type { PageLine } from "./pdf-lines.ts";

/** Maximum line spacing within a paragraph, relative to the font size. Usual spacing is 1.2, wide spacing 1.5. */
const maxLineSpacing = 1.65;

/** Minimum font size of a heading, relative to the body text. */
const headingScale = 1.15;

/** Maximum length of a heading, in UTF-16 code units. */
const maxHeading = 120;

/** The start of a list item. */
const listItem = /^(?:[•◦▪‣●–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s/;

/** The end of a line with a hyphenated word. */
const hyphenated = /\p{L}[-\u2010\u00ad]$/u;

/**
 * Joins the lines of pages to paragraphs.
 * @returns the text and its first heading, which is blank if none was detected
 */
export function textOfPages(pages: readonly (readonly PageLine[])[]): { text: string; heading: string } {
  const lines = pages.flat();
  const usual = usualSize(lines);
  const compounds = compoundsIn(lines);
  const paragraphs = new Paragraphs();
  let heading = "";
  /** The current paragraph, and whether it is a heading. */
  let open = "";
  let openIsHeading = false;

  const endLine = () => {
    if (openIsHeading && open !== "") {
      heading ||= open;
      paragraphs.end();
      paragraphs.line(`## ${open}`);
      paragraphs.end();
    } else paragraphs.line(open);
    open = "";
  };
  for (const column of pages.flatMap(columnsOf)) {
    const right = column.reduce((furthest, line) => Math.max(furthest, line.right), 0);
    let previous: PageLine | null = null;
    for (const line of column) {
      const isHeading = line.size > headingScale * usual && line.text.length <= maxHeading && /\p{L}{2}/u.test(line.text);
      const beginsParagraph = previous === null || isApart(previous, line);
      if (beginsParagraph || isHeading !== openIsHeading || listItem.test(line.text) || (previous && isEnded(previous, line, right)))
        endLine();
      if (beginsParagraph) paragraphs.end();
      openIsHeading = isHeading;
      open = open === "" ? line.text : joined(open, line.text, compounds);
      previous = line;
    }
  }
  endLine();
  return { text: paragraphs.toString(), heading };
}

/** Splits the lines of a page into columns: a line above its predecessor starts a new column. */
function columnsOf(page: readonly PageLine[]): PageLine[][] {
  const columns: PageLine[][] = [];
  for (const [i, line] of page.entries()) {
    const previous = page[i - 1];
    if (!previous || line.y - previous.y > Math.max(previous.size, line.size)) columns.push([]);
    columns.at(-1)?.push(line);
  }
  return columns;
}

/** Whether two lines differ more in position or font size than lines of one paragraph. */
function isApart(previous: PageLine, line: PageLine): boolean {
  const size = Math.max(previous.size, line.size);
  return previous.y - line.y > maxLineSpacing * size || Math.abs(previous.size - line.size) > 0.2 * size;
}

/** Whether a line ended although it had room for the first word of the next one, as list items and table rows do. */
function isEnded(previous: PageLine, line: PageLine, right: number): boolean {
  if (hyphenated.test(previous.text)) return false;
  const [firstWord = ""] = line.text.split(" ", 1);
  const width = ((line.right - line.left) * firstWord.length) / line.text.length;
  return right - previous.right > width + 2 * line.size;
}

/** The font size of most characters. */
function usualSize(lines: readonly PageLine[]): number {
  const letters = new Map<number, number>();
  for (const { text, size } of lines) {
    const rounded = Math.round(2 * size) / 2;
    letters.set(rounded, (letters.get(rounded) ?? 0) + text.length);
  }
  let [usual, most] = [0, 0];
  for (const [size, count] of letters) if (count > most) [usual, most] = [size, count];
  return usual;
}

/** Lower-case words with a hyphen within a line: their hyphen is part of the word. */
function compoundsIn(lines: readonly PageLine[]): ReadonlySet<string> {
  const compounds = new Set<string>();
  for (const { text } of lines) for (const [word] of text.matchAll(/\p{L}+(?:-\p{L}+)+/gu)) compounds.add(word.toLowerCase());
  return compounds;
}

/** Joins two lines. Removes a hyphen at the end if the word continues in lower case and is not a known compound. */
function joined(line: string, next: string, compounds: ReadonlySet<string>): string {
  if (line.endsWith("\u00ad")) return line.slice(0, -1) + next;
  const end = /(\p{L}+)[-‐]$/u.exec(line.slice(-60))?.[1];
  const beginning = /^\p{Ll}[\p{L}-]*/u.exec(next)?.[0];
  if (!(end && beginning)) return `${line} ${next}`;
  return (compounds.has(`${end}-${beginning}`.toLowerCase()) ? line : line.slice(0, -1)) + next;
}
