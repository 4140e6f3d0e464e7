import type { TextItem } from "pdfjs-dist/legacy/build/pdf.min.mjs";

/** A line of a page. Places are in points, from the page's lower left. */
export interface PageLine {
  readonly text: string;
  /** Of its base line. */
  readonly y: number;
  readonly left: number;
  readonly right: number;
  /** Of its largest letters. */
  readonly size: number;
}

/** Puts the pieces of a page, in the order in which they are drawn, together to lines. */
export function linesOf(items: readonly TextItem[]): PageLine[] {
  const lines: PageLine[] = [];
  let parts: string[] = [];
  let [y, size, left, right] = [0, 0, 0, 0];
  const close = () => {
    const text = parts
      .join("")
      .replace(/[\s\0]+/g, " ")
      // In a table of contents they lead to the page.
      .replace(/(?: ?\.){4,}/g, " …")
      .trim();
    if (text !== "") lines.push({ text, y, size, left, right });
    parts = [];
    size = 0;
  };
  for (const { str, transform, width, height, hasEOL } of items) {
    const [, , , , x, baseLine] = transform;
    if (str.trim() !== "") {
      // Pieces of the same line may stand higher or lower than each other, as in formulas.
      if (parts.length > 0 && Math.abs(baseLine - y) > Math.max(size, height)) close();
      if (parts.length === 0) [y, left, right] = [baseLine, x, x];
      size = Math.max(size, height);
      right = Math.max(right, x + width);
    }
    if (str !== "" && (parts.length > 0 || str.trim() !== "")) parts.push(str);
    if (hasEOL) close();
  }
  close();
  return lines;
}
