/** A figure over several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and range. Throws `RangeError` for an empty list. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => {
    const value = sorted[index];
    if (value === undefined) throw new RangeError("spreadOf: there is no median of no values");
    return value;
  };
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** `items`, beginning with the one at `start` (counted round the end) and going round once. */
export function rotated<T>(items: readonly T[], start: number): T[] {
  const first = start % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
