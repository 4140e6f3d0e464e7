/** Median and range. Throws `RangeError` for an empty list. */
export function spreadOf(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => {
    const value = sorted[index];
    if (value === undefined) throw new RangeError("spreadOf: no values");
    return value;
  };
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** `median (min–max)`, or a dash without values. */
export function formatSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return "–";
  const { median, min, max } = spreadOf(values);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** The spread of a figure over items. Items without the figure (null) are ignored. */
export function formatEach<Item>(items: readonly Item[], figure: (item: Item) => number | null, digits: number): string {
  return formatSpread(figuresOf(items, figure), digits);
}

export function figuresOf<Item>(items: readonly Item[], figure: (item: Item) => number | null): number[] {
  return items.map(figure).filter((value) => value !== null);
}

/** Percentile by nearest rank; `NaN` without values. */
export function percentiles(values: readonly number[]): { p50: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95) };
}

/** Rotates `items` to begin at `start` (modulo their number). */
export function rotated<T>(items: readonly T[], start: number): T[] {
  const first = start % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** A Markdown table. Missing cells are empty. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${head.map((_, column) => cells[column] ?? "").join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

/** p50 and p95 of times in ms. */
export const formatPercentiles = ({ p50, p95 }: { readonly p50: number; readonly p95: number }): string =>
  `${p50.toFixed(1)} / ${p95.toFixed(1)}`;
