import type { TextItem } from "pdfjs-dist/legacy/build/pdf.min.mjs";

/** A line of a page. Lengths are in points, from the page's lower edge. */
export interface PageLine {
  readonly text: string;
  /** Of its base line. */
  readonly y: number;
  /** Of its largest letters. */
  readonly size: number;
}

/** Puts the pieces of a page, in the order in which they are drawn, together to lines. */
export function linesOf(items: readonly TextItem[]): PageLine[] {
  const lines: PageLine[] = [];
  let parts: string[] = [];
  let size = 0;
  let y = 0;
  const close = () => {
    const text = parts
      .join("")
      .replace(/[\s\0]+/g, " ")
      .trim();
    if (text !== "") lines.push({ text, y, size });
    parts = [];
    size = 0;
  };
  for (const { str, transform, height, hasEOL } of items) {
    const [, , , , , baseLine] = transform;
    if (str.trim() !== "") {
      if (parts.length > 0 && Math.abs(baseLine - y) > Math.max(size, height)) close();
      if (parts.length === 0) y = baseLine;
      size = Math.max(size, height);
    }
    if (str !== "" && (parts.length > 0 || str.trim() !== "")) parts.push(str);
    if (hasEOL) close();
  }
  close();
  return lines;
}
