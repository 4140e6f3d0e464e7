import type { TextItem } from "pdfjs-dist/legacy/build/pdf.min.mjs";

/** A line of a page. Coordinates are in points, from the lower left corner of the page. */
export interface PageLine {
  readonly text: string;
  /** Of the baseline. */
  readonly y: number;
  readonly left: number;
  readonly right: number;
  /** Largest font size. */
  readonly size: number;
}

/** Joins the text items of a page, in drawing order, to lines. */
export function linesOf(items: readonly TextItem[]): PageLine[] {
  const lines: PageLine[] = [];
  let parts: string[] = [];
  let [y, size, left, right] = [0, 0, 0, 0];
  const close = () => {
    const text = parts
      .join("")
      .replace(/[\s\0]+/g, " ")
      // Dot leaders of a table of contents.
      .replace(/(?: ?\.){4,}/g, " …")
      .trim();
    if (text !== "") lines.push({ text, y, size, left, right });
    parts = [];
    size = 0;
  };
  for (const { str, transform, width, height, hasEOL } of items) {
    const [, , , , x, baseline] = transform;
    if (str.trim() !== "") {
      // Items of one line may have different baselines, as in formulas.
      if (parts.length > 0 && Math.abs(baseline - y) > Math.max(size, height)) close();
      if (parts.length === 0) [y, left, right] = [baseline, x, x];
      size = Math.max(size, height);
      right = Math.max(right, x + width);
    }
    if (str !== "" && (parts.length > 0 || str.trim() !== "")) parts.push(str);
    if (hasEOL) close();
  }
  close();
  return lines;
}
