import { Paragraphs } from "./paragraphs.ts";
import type { PageLine } from "./pdf-lines.ts";

/** From one base line to the next, in sizes of the letters: more begins a paragraph. Lines are usually 1.2 apart, loose ones 1.5. */
const largestLeading = 1.65;

/** A heading is so much larger than the text around it, and no longer. In UTF-16 code units. */
const headingScale = 1.15;
const longestHeading = 120;

/** A line of a list begins so. */
const listItem = /^(?:[•◦▪‣●–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s/;

/** A line ends so within a word, or after a part of one. */
const dividedWord = /\p{L}[-\u2010\u00ad]$/u;

/** Makes paragraphs of the lines of pages. @returns the text, and its first heading, blank where none was told apart */
export function textOfPages(pages: readonly (readonly PageLine[])[]): { text: string; heading: string } {
  const lines = pages.flat();
  const usual = usualSize(lines);
  const compounds = compoundsIn(lines);
  const paragraphs = new Paragraphs();
  let heading = "";
  /** The line that is being put together, and what it was begun as. */
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
      const isHeading = line.size > headingScale * usual && line.text.length <= longestHeading && /\p{L}{2}/u.test(line.text);
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

/** The lines of a page, cut where one stands above the one before it: there the next column begins. */
function columnsOf(page: readonly PageLine[]): PageLine[][] {
  const columns: PageLine[][] = [];
  for (const [i, line] of page.entries()) {
    const previous = page[i - 1];
    if (!previous || line.y - previous.y > Math.max(previous.size, line.size)) columns.push([]);
    columns.at(-1)?.push(line);
  }
  return columns;
}

/** Whether there is more room between two lines, or a greater difference in size, than within a paragraph. */
function isApart(previous: PageLine, line: PageLine): boolean {
  const size = Math.max(previous.size, line.size);
  return previous.y - line.y > largestLeading * size || Math.abs(previous.size - line.size) > 0.2 * size;
}

/** Whether a line ended though the first word of the next one had room in it: as items of lists do, and rows of tables. */
function isEnded(previous: PageLine, line: PageLine, right: number): boolean {
  if (dividedWord.test(previous.text)) return false;
  const [firstWord = ""] = line.text.split(" ", 1);
  const width = ((line.right - line.left) * firstWord.length) / line.text.length;
  return right - previous.right > width + 2 * line.size;
}

/** The size that most letters have. */
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

/** Words with a hyphen that stand within a line, in lower case: there the hyphen belongs to them. */
function compoundsIn(lines: readonly PageLine[]): ReadonlySet<string> {
  const compounds = new Set<string>();
  for (const { text } of lines) for (const [word] of text.matchAll(/\p{L}+(?:-\p{L}+)+/gu)) compounds.add(word.toLowerCase());
  return compounds;
}

/** Two lines as one. A hyphen at the end goes when the word goes on in lower case, and is nowhere written with it. */
function joined(line: string, next: string, compounds: ReadonlySet<string>): string {
  if (line.endsWith("\u00ad")) return line.slice(0, -1) + next;
  const end = /(\p{L}+)[-‐]$/u.exec(line.slice(-60))?.[1];
  const beginning = /^\p{Ll}[\p{L}-]*/u.exec(next)?.[0];
  if (!(end && beginning)) return `${line} ${next}`;
  return (compounds.has(`${end}-${beginning}`.toLowerCase()) ? line : line.slice(0, -1)) + next;
}
