const plain = new Intl.NumberFormat("en");
const rounded = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** "1,900" */
export const numeral = (value: number): string => plain.format(value);

/** "1 passage", "1,900 passages" */
export const count = (value: number, one: string, many = `${one}s`): string => `${plain.format(value)} ${value === 1 ? one : many}`;

/** "412 of 1,900 passages" */
export const countOf = (done: number, total: number, one: string, many = `${one}s`): string =>
  `${plain.format(done)} of ${count(total, one, many)}`;

/** "33.1" */
export const megabytes = (bytes: number): string => tenths.format(bytes / 1e6);

/** "0 KB", "120 KB", "3.2 MB" */
export const size = (bytes: number): string => (bytes < 1e6 ? `${plain.format(Math.ceil(bytes / 1e3))} KB` : `${megabytes(bytes)} MB`);

/** "under 1 ms", "84 ms" */
export const milliseconds = (time: number): string => (time < 1 ? "under 1 ms" : `${plain.format(Math.round(time))} ms`);

/** "38", "0.5": as exact as can be said of what goes up and down. */
export const rate = (value: number): string => rounded.format(value);

/** "a few seconds", "40 seconds", "6 minutes": as exact as an estimate is. */
export function timeLeft(seconds: number): string {
  if (seconds < 5) return "a few seconds";
  if (seconds < 90) return `${plain.format(5 * Math.round(seconds / 5))} seconds`;
  if (seconds < 5400) return `${plain.format(Math.round(seconds / 60))} minutes`;
  return `${rounded.format(seconds / 3600)} hours`;
}

/** "84 %" */
export const percent = (share: number): string => `${Math.round(100 * share)} %`;
