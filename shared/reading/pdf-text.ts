import { Paragraphs } from "./paragraphs.ts";
import type { PageLine } from "./pdf-lines.ts";

/** From one base line to the next, in sizes of the letters: more begins a paragraph. Lines are usually 1.2 apart, loose ones 1.5. */
const largestLeading = 1.65;

/** A heading is so much larger than the text around it, and no longer. In UTF-16 code units. */
const headingScale = 1.15;
const longestHeading = 120;

/** A line of a list begins so. */
const listItem = /^(?:[•◦▪‣●–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s/;

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
  for (const page of pages) {
    let previous: PageLine | null = null;
    for (const line of page) {
      const isHeading = line.size > headingScale * usual && line.text.length <= longestHeading && /\p{L}{2}/u.test(line.text);
      const breaks = previous === null || beginsParagraph(previous, line);
      if (breaks || isHeading !== openIsHeading || listItem.test(line.text)) endLine();
      if (breaks) paragraphs.end();
      openIsHeading = isHeading;
      open = open === "" ? line.text : joined(open, line.text, compounds);
      previous = line;
    }
  }
  endLine();
  return { text: paragraphs.toString(), heading };
}

function beginsParagraph(previous: PageLine, line: PageLine): boolean {
  const size = Math.max(previous.size, line.size);
  const leading = previous.y - line.y;
  // Upwards: the next column.
  return leading > largestLeading * size || leading < -size || Math.abs(previous.size - line.size) > 0.2 * size;
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
